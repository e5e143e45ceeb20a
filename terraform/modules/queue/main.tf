# A topic whose messages are pushed to one function, and the place of those that it could not take.

resource "google_pubsub_topic" "queue" {
  # checkov:skip=CKV_GCP_83: Messages name jobs and hold none of their content; Google's own keys are enough.

  project = var.project
  name    = var.name
  labels  = var.labels
}

resource "google_pubsub_subscription" "push" {
  project = var.project
  name    = "${var.name}-to-${var.function}"
  topic   = google_pubsub_topic.queue.id
  labels  = var.labels

  ack_deadline_seconds       = var.ack_deadline_s
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = var.endpoint

    oidc_token {
      service_account_email = var.caller
      audience              = var.audience
    }
  }

  retry_policy {
    minimum_backoff = "${var.backoff_s[0]}s"
    maximum_backoff = "${var.backoff_s[1]}s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead.id
    max_delivery_attempts = var.max_attempts
  }

  # It stays also where nobody calls for a month.
  expiration_policy {
    ttl = ""
  }

  # Without these, messages would be repeated for ever and never laid aside.
  depends_on = [
    google_pubsub_topic_iam_member.lays_aside,
    google_service_account_iam_member.speaks_for_caller,
  ]
}

resource "google_pubsub_topic" "dead" {
  # checkov:skip=CKV_GCP_83: Messages name jobs and hold none of their content; Google's own keys are enough.

  project = var.project
  name    = "${var.name}-dead"
  labels  = var.labels
}

# A topic keeps nothing by itself: this holds what was laid aside until somebody has looked at it.
resource "google_pubsub_subscription" "dead" {
  project = var.project
  name    = "${var.name}-dead"
  topic   = google_pubsub_topic.dead.id
  labels  = var.labels

  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}
