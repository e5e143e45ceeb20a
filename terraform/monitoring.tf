# Warnings: alerts and the budget.

module "monitoring" {
  source = "./modules/monitoring"

  project        = var.project
  project_number = local.project_number
  emails         = var.alert_emails
  labels         = local.labels
  alerts         = {}
  budget         = var.budget

  depends_on = [google_project_service.needed]
}
