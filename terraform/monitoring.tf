# Metrics of the front door, and warnings: alerts over metrics, and the budget.

locals {
  # Google's Telemetry API writes what comes by OTLP to Cloud Monitoring as Managed Service for Prometheus does.
  telemetry = var.send_metrics ? {
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT                        = "https://telemetry.googleapis.com/v1/metrics"
    OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER = "gcp_http_credentials"
    # It refuses metrics without a region.
    OTEL_RESOURCE_ATTRIBUTES = "cloud.platform=gcp_cloud_run,cloud.region=${var.region},gcp.project_id=${var.project}"
  } : {}
}

resource "google_project_iam_member" "telemetry" {
  for_each = toset(var.send_metrics ? ["roles/serviceusage.serviceUsageConsumer", "roles/telemetry.metricsWriter"] : [])

  project = var.project
  role    = each.value
  member  = module.function["gateway"].member
}

module "monitoring" {
  source = "./modules/monitoring"

  project        = var.project
  project_number = local.project_number
  emails         = var.alert_emails
  labels         = local.labels
  budget         = var.budget
  # Made from infra/monitoring/alerts.toml; `make monitoring` writes it.
  alerts = jsondecode(file("${path.module}/alerts.json"))

  depends_on = [google_project_service.needed]
}
