# A function whole: its account, what it may read, its source, itself, and who may call it.

locals {
  # It looks at the tokens of its calls by itself too: two locks, of which one may be left open by mistake.
  tokens = var.called_by_google ? {
    SPILLWAY_PUSH_ACCOUNT  = google_service_account.caller[0].email
    SPILLWAY_PUSH_AUDIENCE = var.url
  } : {}
}

resource "google_service_account" "function" {
  project      = var.project
  account_id   = "spillway-${var.name}"
  display_name = "Spillway: the function ${var.name}"
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = toset(concat(values(var.secrets), values(var.secret_files)))

  project   = var.project
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function.member
}

resource "google_storage_bucket_object" "bundle" {
  bucket = var.source_bucket
  # Named by its content: a new release is a new object, and an unchanged one is no change.
  name         = "${var.name}-${filemd5(var.bundle)}.zip"
  source       = var.bundle
  content_type = "application/zip"
}

resource "google_cloudfunctions2_function" "function" {
  project     = var.project
  location    = var.region
  name        = var.name
  description = var.description
  labels      = var.labels

  build_config {
    runtime           = var.runtime
    entry_point       = var.name
    service_account   = var.build_account
    docker_repository = var.docker_repository

    source {
      storage_source {
        bucket = google_storage_bucket_object.bundle.bucket
        object = google_storage_bucket_object.bundle.name
      }
    }

    # Google mends the base image of running functions; nothing of ours is in it.
    automatic_update_policy {}
  }

  service_config {
    service_account_email            = google_service_account.function.email
    available_cpu                    = var.cpu
    available_memory                 = var.memory
    timeout_seconds                  = var.timeout_s
    max_instance_request_concurrency = var.concurrency
    min_instance_count               = var.min_instances
    max_instance_count               = var.max_instances
    ingress_settings                 = var.called_by_google ? "ALLOW_INTERNAL_ONLY" : "ALLOW_ALL"
    all_traffic_on_latest_revision   = true
    environment_variables            = merge(var.environment, local.tokens)

    dynamic "secret_environment_variables" {
      for_each = var.secrets

      content {
        project_id = var.project
        key        = secret_environment_variables.key
        secret     = secret_environment_variables.value
        version    = "latest"
      }
    }

    dynamic "secret_volumes" {
      for_each = var.secret_files

      content {
        project_id = var.project
        mount_path = dirname(secret_volumes.key)
        secret     = secret_volumes.value

        versions {
          version = "latest"
          path    = basename(secret_volumes.key)
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
