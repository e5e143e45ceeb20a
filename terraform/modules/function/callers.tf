# Who may call the function: those whom it is told, and for Pub/Sub and the scheduler an account of its own.

resource "google_service_account" "caller" {
  count = var.called_by_google ? 1 : 0

  project      = var.project
  account_id   = "spillway-calls-${var.name}"
  display_name = "Spillway: calls the function ${var.name}"
}

resource "google_cloud_run_v2_service_iam_member" "caller" {
  count = var.called_by_google ? 1 : 0

  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.function.name
  role     = "roles/run.invoker"
  member   = google_service_account.caller[0].member
}

resource "google_cloud_run_v2_service_iam_member" "others" {
  for_each = var.callers

  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.function.name
  role     = "roles/run.invoker"
  member   = each.value
}
