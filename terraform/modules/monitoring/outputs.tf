output "alerts" {
  description = "Names of the alert policies, by alert."
  value       = { for name, policy in google_monitoring_alert_policy.alert : name => policy.name }
}

output "channels" {
  description = "Where warnings go."
  value       = [for channel in google_monitoring_notification_channel.email : channel.id]
}
