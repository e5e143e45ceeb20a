# What a plan and an apply make of good values is tests/deploy/test_terraform.py's.
mock_provider "google" {}

variables {
  bundles             = "../build"
  deletion_protection = false
  environment         = "test"
  project             = "spillway-test"
  region              = "us-central1"
}

run "auth_is_keys_or_none" {
  command = plan

  variables {
    auth = "password"
  }

  expect_failures = [var.auth]
}

run "everybody_is_let_in_by_keys_only" {
  command = plan

  variables {
    auth            = "none"
    gateway_callers = ["allUsers"]
  }

  expect_failures = [var.gateway_callers]
}

run "more_front_doors_than_were_studied_are_refused" {
  command = plan

  variables {
    gateway_instances = { max = 17 }
  }

  expect_failures = [var.gateway_instances]
}

run "a_secrets_value_in_place_of_its_name_is_refused" {
  command = plan

  variables {
    secrets = { REPLICATE_API_TOKEN = "r8_a secret value" }
  }

  expect_failures = [var.secrets]
}

run "a_group_without_its_zone_is_refused" {
  command = plan

  variables {
    burst_group = { name = "burst", zone = "us-central1" }
  }

  expect_failures = [var.burst_group]
}

run "a_cap_below_nothing_is_refused" {
  command = plan

  variables {
    fallback_usd_per_day = -1
  }

  expect_failures = [var.fallback_usd_per_day]
}

run "a_project_is_named_by_its_id" {
  command = plan

  variables {
    project = "My Project"
  }

  expect_failures = [var.project]
}
