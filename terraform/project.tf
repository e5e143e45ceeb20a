# The project: its number, by which Google names its own accounts, and the services that must be on.

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "needed" {
  for_each = toset(concat([
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "telemetry.googleapis.com",
  ], var.burst_group == null ? [] : ["compute.googleapis.com"]))

  project = var.project
  service = each.value
  # Others in the project may need them.
  disable_on_destroy = false
}

locals {
  labels = merge(var.labels, { application = "spillway", environment = var.environment })

  # What is made by the number waits for the services.
  project_number = data.google_project.this.number
}
