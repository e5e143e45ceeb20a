# By the clock: calls a function as an account of its own, or sends a message to a topic.

resource "google_cloud_scheduler_job" "job" {
  project          = var.project
  region           = var.region
  name             = var.name
  description      = var.description
  schedule         = var.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = var.call == null ? null : "${var.call.timeout_s}s"

  dynamic "http_target" {
    for_each = var.call[*]

    content {
      http_method = "POST"
      uri         = http_target.value.url

      oidc_token {
        service_account_email = http_target.value.caller
        audience              = http_target.value.url
      }
    }
  }

  dynamic "pubsub_target" {
    for_each = var.message[*]

    content {
      topic_name = pubsub_target.value.topic
      attributes = pubsub_target.value.attributes
    }
  }

  # A round that failed is made up for by the next.
  retry_config {
    retry_count = 0
  }
}
