# Inputs and results: private, given out by the front door, and gone by themselves.

resource "google_storage_bucket" "artifacts" {
  # checkov:skip=CKV_GCP_62: Usage logs are superseded by Cloud Audit Logs, and the front door logs each result that it gives out.
  # checkov:skip=CKV_GCP_78: A version that is kept would be what people were told is deleted; results are never written over.

  project       = var.project
  name          = var.name
  location      = var.location
  labels        = var.labels
  force_destroy = !var.deletion_protection

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  dynamic "lifecycle_rule" {
    for_each = var.days

    content {
      action {
        type = "Delete"
      }

      condition {
        age            = lifecycle_rule.value
        matches_prefix = [lifecycle_rule.key]
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.days_since_kept

    content {
      action {
        type = "Delete"
      }

      condition {
        days_since_custom_time = lifecycle_rule.value
        matches_prefix         = [lifecycle_rule.key]
      }
    }
  }

  # An upload that was begun and left is no object yet, so that no rule above takes it.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }

    condition {
      age = 1
    }
  }

  # What people sent in is gone when it is said to be.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  # For pages that an operator gives addresses which he has signed (gcloud storage sign-url). Spillway gives out the
  # front door's own, which any page may fetch.
  dynamic "cors" {
    for_each = length(var.cors_origins) == 0 ? [] : [var.cors_origins]

    content {
      origin          = cors.value
      method          = ["GET", "HEAD"]
      response_header = ["Content-Type", "Content-Range", "ETag"]
      max_age_seconds = 3600
    }
  }
}

resource "google_storage_bucket_iam_member" "user" {
  for_each = var.users

  bucket = google_storage_bucket.artifacts.name
  role   = "roles/storage.objectUser"
  member = each.value
}
