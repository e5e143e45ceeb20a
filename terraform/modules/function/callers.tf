# Who may call the function: everybody, or one account of its own that Pub/Sub and the scheduler speak for.

resource "google_service_account" "caller" {
  count = var.public ? 0 : 1

  project      = var.project
  account_id   = "spillway-calls-${var.name}"
  display_name = "Spillway: calls the function ${var.name}"
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.function.name
  role     = "roles/run.invoker"
  member   = var.public ? "allUsers" : google_service_account.caller[0].member
}
