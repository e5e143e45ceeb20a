output "account" {
  description = "E-mail of the account that the function runs as."
  value       = google_service_account.function.email
}

output "caller" {
  description = "E-mail of the account that Pub/Sub and the scheduler call as; null where they don't."
  value       = one(google_service_account.caller[*].email)
}

output "member" {
  description = "The function's account, as IAM names it."
  value       = google_service_account.function.member
}

output "name" {
  description = "Name of the function, once it is there and its callers may call it."
  value       = google_cloudfunctions2_function.function.name

  depends_on = [google_cloud_run_v2_service_iam_member.caller]
}

output "url" {
  description = "Address of the function, and the audience of tokens for it."
  value       = var.url
}
