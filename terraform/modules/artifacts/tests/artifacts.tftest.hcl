mock_provider "google" {}

variables {
  days                = { "inputs/" = 1, "results/" = 7 }
  days_since_kept     = { "artifacts/" = 7 }
  deletion_protection = true
  location            = "us-central1"
  name                = "spillway-test-artifacts"
  project             = "spillway-test"
  users               = { gateway = "serviceAccount:spillway-gateway@spillway-test.iam.gserviceaccount.com" }
}

run "it_never_becomes_public" {
  command = plan

  assert {
    condition     = google_storage_bucket.artifacts.public_access_prevention == "enforced" && google_storage_bucket.artifacts.uniform_bucket_level_access
    error_message = "The bucket may become public."
  }
}

run "what_is_kept_is_kept_for_as_long_as_is_said" {
  assert {
    condition = alltrue([for prefix, days in { "inputs/" = 1, "results/" = 7 } : anytrue([
      for rule in google_storage_bucket.artifacts.lifecycle_rule :
      rule.condition[0].age == days && rule.condition[0].matches_prefix == tolist([prefix])
    ])])
    error_message = "Inputs or results are kept for longer, or for less."
  }

  assert {
    condition = anytrue([
      for rule in google_storage_bucket.artifacts.lifecycle_rule :
      rule.condition[0].days_since_custom_time == 7 && rule.condition[0].matches_prefix == tolist(["artifacts/"])
    ])
    error_message = "Kept results live for longer, or for less."
  }

  assert {
    condition     = google_storage_bucket.artifacts.soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "What is deleted is still there."
  }
}

run "other_pages_may_fetch_it_where_they_are_named_only" {
  command = plan

  assert {
    condition     = length(google_storage_bucket.artifacts.cors) == 0
    error_message = "Pages that nobody named may fetch it."
  }
}

run "named_pages_may_fetch_and_nothing_else" {
  command = plan

  variables {
    cors_origins = ["https://gif.example"]
  }

  assert {
    condition     = one(google_storage_bucket.artifacts.cors).origin == tolist(["https://gif.example"])
    error_message = "The page is not let in."
  }

  assert {
    condition     = one(google_storage_bucket.artifacts.cors).method == tolist(["GET", "HEAD"])
    error_message = "The page could write."
  }
}

run "a_prefix_that_is_no_folder_is_refused" {
  command = plan

  variables {
    days = { "inputs" = 1 }
  }

  expect_failures = [var.days]
}
