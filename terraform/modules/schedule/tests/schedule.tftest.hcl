mock_provider "google" {}

variables {
  description = "Every minute."
  name        = "balancer"
  project     = "spillway-test"
  region      = "us-central1"
  schedule    = "* * * * *"
}

run "a_call_carries_a_token_for_its_function_alone" {
  command = plan

  variables {
    call = { caller = "spillway-calls-balancer@spillway-test.iam.gserviceaccount.com", timeout_s = 300, url = "https://balancer.example" }
  }

  assert {
    condition     = google_cloud_scheduler_job.job.http_target[0].oidc_token[0].audience == "https://balancer.example"
    error_message = "The token is good for another function."
  }

  assert {
    condition     = length(google_cloud_scheduler_job.job.pubsub_target) == 0
    error_message = "It sends a message too."
  }
}

run "a_message_goes_to_its_topic" {
  command = plan

  variables {
    message = { topic = "projects/spillway-test/topics/spillway-jobs", attributes = { kind = "sweep" } }
  }

  assert {
    condition     = google_cloud_scheduler_job.job.pubsub_target[0].attributes.kind == "sweep"
    error_message = "The message does not say what it is for."
  }
}

run "a_schedule_does_one_thing" {
  command         = plan
  expect_failures = [var.call]
}

run "a_call_in_the_clear_is_refused" {
  command = plan

  variables {
    call = { caller = "a@b.example", timeout_s = 300, url = "http://balancer.example" }
  }

  expect_failures = [var.call]
}
