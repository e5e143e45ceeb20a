output "job" {
  description = "Name of the job."
  value       = google_cloud_scheduler_job.job.name
}
