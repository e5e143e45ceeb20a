# Who writes, and what Pub/Sub itself needs for tokens and dead letters.

locals {
  agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = var.publishers

  project = var.project
  topic   = google_pubsub_topic.queue.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_pubsub_topic_iam_member" "undertaker" {
  for_each = var.undertakers

  project = var.project
  topic   = google_pubsub_topic.dead.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_service_account_iam_member" "speaks_for_caller" {
  service_account_id = "projects/${var.project}/serviceAccounts/${var.caller}"
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.agent
}

resource "google_pubsub_topic_iam_member" "lays_aside" {
  project = var.project
  topic   = google_pubsub_topic.dead.name
  role    = "roles/pubsub.publisher"
  member  = local.agent
}

# It acknowledges there what it laid aside.
resource "google_pubsub_subscription_iam_member" "acknowledges" {
  project      = var.project
  subscription = google_pubsub_subscription.push.name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}
