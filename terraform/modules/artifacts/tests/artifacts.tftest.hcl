mock_provider "google" {}

variables {
  cors_origins        = ["https://gif.example"]
  days                = { "inputs/" = 1, "results/" = 7 }
  deletion_protection = true
  location            = "us-central1"
  name                = "spillway-test-artifacts"
  project             = "spillway-test"
  signers             = { gateway = "spillway-gateway@spillway-test.iam.gserviceaccount.com" }
  users               = { gateway = "serviceAccount:spillway-gateway@spillway-test.iam.gserviceaccount.com" }
}

run "nobody_reads_it_without_a_signed_address" {
  command = plan

  assert {
    condition     = google_storage_bucket.artifacts.public_access_prevention == "enforced" && google_storage_bucket.artifacts.uniform_bucket_level_access
    error_message = "The bucket may become public."
  }
}

run "what_is_kept_is_kept_for_as_long_as_is_said" {
  command = plan

  assert {
    condition = {
      for rule in google_storage_bucket.artifacts.lifecycle_rule :
      one(rule.condition[0].matches_prefix) => rule.condition[0].age if rule.action[0].type == "Delete"
    } == { "inputs/" = 1, "results/" = 7 }
    error_message = "Something is kept for longer, or for less."
  }

  assert {
    condition     = google_storage_bucket.artifacts.soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "What is deleted is still there."
  }
}

run "a_function_signs_as_itself_alone" {
  command = plan

  assert {
    condition     = google_service_account_iam_member.signs["gateway"].member == "serviceAccount:${var.signers.gateway}" && endswith(google_service_account_iam_member.signs["gateway"].service_account_id, "/${var.signers.gateway}")
    error_message = "A function may sign as another."
  }
}

run "a_prefix_that_is_no_folder_is_refused" {
  command = plan

  variables {
    days = { "inputs" = 1 }
  }

  expect_failures = [var.days]
}
