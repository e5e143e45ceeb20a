# The processor between requests. The Cloud Functions API has no field for it, the Cloud Run service beneath it has:
# docs/decisions/0007-cloud-run-functions.md. A plan warns where it is missing (checks.tf).

resource "terraform_data" "cpu_between_requests" {
  count = var.cpu_between_requests ? 1 : 0

  # Said again after each deployment.
  triggers_replace = [
    google_storage_bucket_object.bundle.name,
    sha256(jsonencode([
      var.concurrency, var.cpu, var.environment, var.max_instances, var.memory, var.min_instances, var.runtime,
      var.secret_files, var.secrets, var.timeout_s,
    ])),
  ]

  provisioner "local-exec" {
    command    = "gcloud run services update ${var.name} --no-cpu-throttling --region=${var.region} --project=${var.project} --quiet"
    on_failure = continue
  }

  depends_on = [google_cloudfunctions2_function.function]
}
