mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "made@spillway-test.iam.gserviceaccount.com"
      member = "serviceAccount:made@spillway-test.iam.gserviceaccount.com"
    }
  }
}

variables {
  build_account     = "projects/spillway-test/serviceAccounts/builder@spillway-test.iam.gserviceaccount.com"
  bundle            = "../../../build/balancer.zip"
  called_by_google  = true
  concurrency       = 1
  cpu               = "1"
  description       = "A function."
  docker_repository = "projects/spillway-test/locations/us-central1/repositories/spillway"
  environment       = { SPILLWAY_STATE = "firestore://spillway-test/spillway" }
  max_instances     = 1
  memory            = "512Mi"
  name              = "balancer"
  project           = "spillway-test"
  region            = "us-central1"
  runtime           = "python312"
  secrets           = { REPLICATE_API_TOKEN = "replicate-api-token" }
  source_bucket     = "spillway-test-sources"
  timeout_s         = 300
  url               = "https://balancer-123456789012.us-central1.run.app"
}

run "what_google_calls_is_called_from_inside_with_a_token" {
  assert {
    condition     = google_cloudfunctions2_function.function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "It may be called from outside."
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.caller[0].member == google_service_account.caller[0].member && length(google_cloud_run_v2_service_iam_member.others) == 0
    error_message = "Others than its caller may call it."
  }

  assert {
    condition = google_cloudfunctions2_function.function.service_config[0].environment_variables == tomap({
      SPILLWAY_PUSH_ACCOUNT  = "made@spillway-test.iam.gserviceaccount.com"
      SPILLWAY_PUSH_AUDIENCE = "https://balancer-123456789012.us-central1.run.app"
      SPILLWAY_STATE         = "firestore://spillway-test/spillway"
    })
    error_message = "It does not know whose tokens to take."
  }
}

run "a_secret_is_a_reference_that_only_its_reader_may_follow" {
  assert {
    condition     = one(google_cloudfunctions2_function.function.service_config[0].secret_environment_variables).secret == "replicate-api-token"
    error_message = "The secret is not referred to."
  }

  assert {
    condition     = [for grant in google_secret_manager_secret_iam_member.reader : grant.member] == [google_service_account.function.member]
    error_message = "Somebody else may read the secret."
  }
}

run "a_secret_may_be_a_file_too" {
  variables {
    secret_files = { "/etc/spillway/routes.toml" = "spillway-routes" }
  }

  assert {
    condition = one(google_cloudfunctions2_function.function.service_config[0].secret_volumes[*].mount_path) == "/etc/spillway" && one(
      google_cloudfunctions2_function.function.service_config[0].secret_volumes[0].versions[*].path
    ) == "routes.toml"
    error_message = "The file lies elsewhere."
  }

  assert {
    condition     = toset(keys(google_secret_manager_secret_iam_member.reader)) == toset(["replicate-api-token", "spillway-routes"])
    error_message = "The function may not read its file."
  }
}

run "everybody_may_call_what_is_public" {
  variables {
    called_by_google = false
    callers          = ["allUsers"]
  }

  assert {
    condition     = google_cloudfunctions2_function.function.service_config[0].ingress_settings == "ALLOW_ALL" && length(google_service_account.caller) == 0
    error_message = "It is not reached from outside."
  }
}

run "a_processor_between_requests_is_asked_for_where_it_is_wanted_only" {
  command = plan

  assert {
    condition     = length(terraform_data.cpu_between_requests) == 0
    error_message = "Nobody wanted it."
  }
}

run "what_google_calls_is_never_public" {
  command = plan

  variables {
    callers = ["allUsers"]
  }

  expect_failures = [var.callers]
}

run "a_missing_bundle_is_said_before_anything_is_made" {
  command = plan

  variables {
    bundle = "../../../build/nobody.zip"
  }

  expect_failures = [var.bundle]
}

run "more_requests_than_cloud_run_takes_are_refused" {
  command = plan

  variables {
    concurrency = 1001
  }

  expect_failures = [var.concurrency]
}

run "more_kept_than_allowed_is_refused" {
  command = plan

  variables {
    min_instances = 2
  }

  expect_failures = [var.min_instances]
}
