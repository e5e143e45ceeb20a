# The state that functions share.

locals {
  database = "spillway"
}

module "state" {
  source = "./modules/state"

  project             = var.project
  name                = local.database
  location            = coalesce(var.firestore_location, var.region)
  deletion_protection = var.deletion_protection
  audited             = var.audit
  users               = { for name in keys(local.functions) : name => module.function[name].member }

  depends_on = [google_project_service.needed]
}
