# Calls a function by the clock, as an account of its own.

resource "google_cloud_scheduler_job" "call" {
  project          = var.project
  region           = var.region
  name             = var.name
  description      = var.description
  schedule         = var.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.timeout_s}s"

  http_target {
    http_method = "POST"
    uri         = var.endpoint

    oidc_token {
      service_account_email = var.caller
      audience              = var.audience
    }
  }

  # A round that failed is made up for by the next.
  retry_config {
    retry_count = 0
  }
}
