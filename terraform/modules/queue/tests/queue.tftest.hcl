mock_provider "google" {}

override_resource {
  target = google_pubsub_topic.dead

  values = {
    id = "projects/spillway-test/topics/jobs-dead"
  }
}

variables {
  ack_deadline_s = 600
  audience       = "https://worker-123456789012.us-central1.run.app"
  caller         = "spillway-calls-worker@spillway-test.iam.gserviceaccount.com"
  endpoint       = "https://worker-123456789012.us-central1.run.app"
  function       = "worker"
  max_attempts   = 20
  name           = "jobs"
  project        = "spillway-test"
  project_number = "123456789012"
  publishers     = { gateway = "serviceAccount:spillway-gateway@spillway-test.iam.gserviceaccount.com" }
}

run "a_message_is_tried_again_and_laid_aside" {
  assert {
    condition     = google_pubsub_subscription.push.dead_letter_policy[0].max_delivery_attempts == 20
    error_message = "It is not laid aside after so many attempts."
  }

  assert {
    condition     = google_pubsub_subscription.push.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead.id && google_pubsub_subscription.dead.topic == google_pubsub_topic.dead.id
    error_message = "Nothing keeps what is laid aside."
  }
}

run "pubsub_itself_may_lay_aside_acknowledge_and_speak_for_the_caller" {
  assert {
    condition = toset([
      google_pubsub_topic_iam_member.lays_aside.member,
      google_pubsub_subscription_iam_member.acknowledges.member,
      google_service_account_iam_member.speaks_for_caller.member,
    ]) == toset(["serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"])
    error_message = "Pub/Sub's own account lacks a grant, without which messages are repeated for ever."
  }
}

run "a_push_carries_a_token_for_the_function" {
  assert {
    condition     = google_pubsub_subscription.push.push_config[0].oidc_token[0].audience == var.audience && google_pubsub_subscription.push.push_config[0].oidc_token[0].service_account_email == var.caller
    error_message = "The push carries no token, or another's."
  }
}

run "fewer_attempts_than_pubsub_counts_are_refused" {
  command = plan

  variables {
    max_attempts = 4
  }

  expect_failures = [var.max_attempts]
}

run "a_push_in_the_clear_is_refused" {
  command = plan

  variables {
    endpoint = "http://worker.example"
  }

  expect_failures = [var.endpoint]
}
