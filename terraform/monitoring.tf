# Warnings: alerts and the budget.

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
