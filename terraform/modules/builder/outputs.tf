output "account" {
  description = "Account that builds, once it may."
  value       = google_service_account.builder.id

  depends_on = [terraform_data.known]
}

output "images" {
  description = "Repository of the built images."
  value       = google_artifact_registry_repository.images.id
}

output "sources" {
  description = "Bucket that takes the bundles."
  value       = google_storage_bucket.sources.name
}
