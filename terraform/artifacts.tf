# Results, and the inputs of jobs.

locals {
  artifacts = "${var.project}-spillway-artifacts"

  # The functions that keep or read them: those that are told where they are.
  artifact_users = [
    for name, function in local.functions : name if can(function.environment.SPILLWAY_ARTIFACTS)
  ]
}

module "artifacts" {
  source = "./modules/artifacts"

  project             = var.project
  name                = local.artifacts
  location            = var.region
  labels              = local.labels
  cors_origins        = var.cors_origins
  deletion_protection = var.deletion_protection
  users               = { for name in local.artifact_users : name => module.function[name].member }

  # A net under the sweep, which forgets a day sooner: a job may live for a day, and needs its input until then.
  days = {
    "answers/" = 2
    "inputs/"  = 2
    "results/" = 8
  }

  # A result that is kept again, as somebody asked for the same, lives on from then.
  days_since_kept = {
    "artifacts/" = 7
  }

  depends_on = [google_project_service.needed]
}
