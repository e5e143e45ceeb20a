# A budget warns; it stops nothing. What hosted inference costs is capped by SPILLWAY_FALLBACK_USD_PER_DAY.

resource "google_billing_budget" "project" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "Spillway in ${var.project}"

  budget_filter {
    projects               = ["projects/${var.project_number}"]
    calendar_period        = "MONTH"
    credit_types_treatment = "INCLUDE_ALL_CREDITS"
  }

  amount {
    # Without a currency it is the account's own; any other is refused.
    specified_amount {
      units = tostring(var.budget.monthly)
    }
  }

  dynamic "threshold_rules" {
    for_each = var.budget.warn_at

    content {
      threshold_percent = threshold_rules.value
      spend_basis       = "CURRENT_SPEND"
    }
  }

  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  # The billing account's owners hear of it by themselves.
  dynamic "all_updates_rule" {
    for_each = length(var.emails) == 0 ? [] : [true]

    content {
      monitoring_notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]
      disable_default_iam_recipients   = false
    }
  }
}
