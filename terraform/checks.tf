# What a plan says about things that no resource holds.

# Not inside the check: a plan with a data source there is never empty.
data "google_cloud_run_v2_service" "between_requests" {
  for_each = toset([for name, function in local.functions : name if try(function.cpu_between_requests, false)])

  project  = var.project
  location = var.region
  name     = each.key

  depends_on = [module.function]
}

locals {
  # Those that have their processor during requests only, though they work between them.
  idling = [
    for name, service in data.google_cloud_run_v2_service.between_requests : name
    if try(service.template[0].containers[0].resources[0].cpu_idle, false)
  ]
}

check "processor_between_requests" {
  assert {
    condition     = length(local.idling) == 0
    error_message = join("\n", [for name in local.idling : "Mend it: gcloud run services update ${name} --no-cpu-throttling --region=${var.region} --project=${var.project}"])
  }
}
