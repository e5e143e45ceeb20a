# Who is told what: alerts over metrics, and a budget over money.

resource "google_monitoring_notification_channel" "email" {
  for_each = var.emails

  project      = var.project
  display_name = "Spillway: ${each.value}"
  type         = "email"

  labels = {
    email_address = each.value
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = var.alerts

  project      = var.project
  display_name = each.key
  combiner     = "OR"
  severity     = each.value.severity
  user_labels  = var.labels

  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = each.value.summary

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${each.value.for_s}s"
      evaluation_interval = "${each.value.every_s}s"
      alert_rule          = each.key
      rule_group          = "spillway"

      # A metric is unknown to Cloud Monitoring until it has been written once.
      disable_metric_validation = true
    }
  }

  documentation {
    subject   = each.value.summary
    content   = each.value.action
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}
