output "dead" {
  description = "Subscription that holds the messages which were laid aside."
  value       = google_pubsub_subscription.dead.name
}

output "subscription" {
  description = "Subscription that pushes to the function."
  value       = google_pubsub_subscription.push.name
}

output "topic" {
  description = "Name of the topic."
  value       = google_pubsub_topic.queue.name
}

output "topic_id" {
  description = "The topic, as others refer to it: projects/PROJECT/topics/NAME."
  value       = google_pubsub_topic.queue.id
}
