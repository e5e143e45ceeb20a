mock_provider "google" {}

variables {
  emails         = ["on-call@spillway.example"]
  project        = "spillway-test"
  project_number = "123456789012"

  alerts = {
    DepositLow = {
      action   = "Top it up."
      query    = "spillway_deposit_wei < 1e16"
      severity = "CRITICAL"
      summary  = "The deposit is low"
    }
  }
}

run "an_alert_says_what_it_means_and_what_to_do_to_whoever_is_named" {
  assert {
    condition     = google_monitoring_alert_policy.alert["DepositLow"].documentation[0].content == "Top it up."
    error_message = "The alert does not say what to do."
  }

  assert {
    condition     = google_monitoring_alert_policy.alert["DepositLow"].notification_channels == tolist([google_monitoring_notification_channel.email["on-call@spillway.example"].id])
    error_message = "Nobody is told."
  }

  assert {
    condition     = google_monitoring_alert_policy.alert["DepositLow"].conditions[0].condition_prometheus_query_language[0].duration == "300s"
    error_message = "A moment's noise would wake somebody."
  }
}

run "there_is_no_budget_without_a_billing_account" {
  command = plan

  assert {
    condition     = length(google_billing_budget.project) == 0
    error_message = "A budget of nobody's."
  }
}

run "a_budget_warns_before_and_by_forecast" {
  command = plan

  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 20 }
  }

  assert {
    condition     = [for rule in google_billing_budget.project[0].threshold_rules : rule.threshold_percent] == [0.5, 0.8, 1, 1]
    error_message = "The warnings come at other moments."
  }
}

run "a_severity_that_nobody_knows_is_refused" {
  command = plan

  variables {
    alerts = { Odd = { action = "?", query = "1", severity = "BAD", summary = "?" } }
  }

  expect_failures = [var.alerts]
}

run "a_period_that_cloud_monitoring_has_not_is_refused" {
  command = plan

  variables {
    alerts = { Odd = { action = "?", query = "1", every_s = 45, summary = "?" } }
  }

  expect_failures = [var.alerts]
}

run "a_budget_of_an_account_that_is_none_is_refused" {
  command = plan

  variables {
    budget = { billing_account = "mine", monthly = 20 }
  }

  expect_failures = [var.budget]
}
