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
  users               = { for name in keys(local.functions) : name => module.function[name].member }
  expiring            = {}

  # All documents lie in collections of one name, and are asked for by their own names only.
  unindexed = {
    for field in ["stamp", "text"] : field => { collection = "documents", field = field }
  }

  depends_on = [google_project_service.needed]
}
