# What builds the functions: their sources, their images, and an account that can do nothing else.

resource "google_storage_bucket" "sources" {
  # checkov:skip=CKV_GCP_62: Only the builder reads it; Cloud Build logs what it built.

  project       = var.project
  name          = "${var.project}-spillway-sources"
  location      = var.region
  labels        = var.labels
  force_destroy = true

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # Older releases are in version control.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = 30
    }
  }

  versioning {
    enabled = true
  }
}

resource "google_artifact_registry_repository" "images" {
  # checkov:skip=CKV_GCP_84: The images hold published code and no data; Google's own keys are enough.

  project       = var.project
  location      = var.region
  repository_id = "spillway"
  description   = "Images of Spillway's functions"
  format        = "DOCKER"
  labels        = var.labels

  cleanup_policies {
    id     = "recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 5
    }
  }

  cleanup_policies {
    id     = "old"
    action = "DELETE"

    condition {
      older_than = "2592000s"
    }
  }
}

resource "google_service_account" "builder" {
  project      = var.project
  account_id   = "spillway-builder"
  display_name = "Spillway: builds the functions"
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

resource "google_project_iam_member" "logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}

resource "google_storage_bucket_iam_member" "sources" {
  bucket = google_storage_bucket.sources.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.builder.member
}

# Cloud Functions copies a source into a bucket of its own before it is built.
resource "google_project_iam_member" "copies" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title      = "sources-of-functions"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.project_number}-\")"
  }
}

# A grant is not known everywhere at once, and a build begins as soon as its function is made: without a pause the
# first builds fail, and with them the first apply.
resource "terraform_data" "known" {
  triggers_replace = [google_service_account.builder.id]

  provisioner "local-exec" {
    command = "sleep 60"
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_project_iam_member.copies,
    google_project_iam_member.logs,
    google_storage_bucket_iam_member.sources,
  ]
}
