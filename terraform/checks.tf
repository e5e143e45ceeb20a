# What a plan says about things that no resource holds.

# Not inside the check: a plan with a data source there is never empty.
data "google_cloud_run_v2_service" "gateway" {
  project  = var.project
  location = var.region
  name     = "gateway"

  depends_on = [module.function]
}

check "gateway_has_its_processor_between_requests" {
  assert {
    condition     = try(data.google_cloud_run_v2_service.gateway.template[0].containers[0].resources[0].cpu_idle, false) == false
    error_message = "The front door has its processor only during requests. Mend it: gcloud run services update gateway --no-cpu-throttling --region=${var.region} --project=${var.project}"
  }
}
