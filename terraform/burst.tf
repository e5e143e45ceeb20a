# Burst orchestrators: what the balancer may do with the machines of one group on Compute Engine, and what it needs for
# those that it rents (docs/burst-orchestrators.md). The group and its template are the operator's own.

locals {
  burst = var.burst_group == null ? {} : { (var.burst_group.name) = var.burst_group }

  # Names of the machines of this deployment begin so; no other machine of the project is the balancer's.
  burst_machines = "spillway-burst-${local.deployment}-"

  burst_environment = {
    for name, group in local.burst : "SPILLWAY_COMPUTE_GROUP" => "${var.project}/${group.zone}/${name}"
  }

  # What a machine's first boot is given: the `_env` settings of a route's burst table name such variables.
  burst_secrets = [for name in keys(var.secrets) : name if startswith(name, "BURST_")]
}

# IAM has no conditions for groups, and a list is of the whole project.
resource "google_project_iam_custom_role" "burst_group" {
  for_each = local.burst

  project     = var.project
  role_id     = "spillwayBurstGroup"
  title       = "Spillway: groups of burst orchestrators"
  description = "Adds machines to a managed instance group, takes them out, and lists what there is."

  permissions = [
    "compute.instanceGroupManagers.get",
    "compute.instanceGroupManagers.update",
    "compute.instances.list",
  ]
}

resource "google_project_iam_custom_role" "burst_machine" {
  for_each = local.burst

  project     = var.project
  role_id     = "spillwayBurstMachine"
  title       = "Spillway: burst orchestrators"
  description = "Makes, stops and deletes machines: granted for those of one deployment only."

  permissions = [
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.get",
    "compute.instances.stop",
  ]
}

resource "google_project_iam_member" "burst_group" {
  for_each = google_project_iam_custom_role.burst_group

  project = var.project
  role    = each.value.name
  member  = module.function["balancer"].member
}

resource "google_project_iam_member" "burst_machine" {
  for_each = google_project_iam_custom_role.burst_machine

  project = var.project
  role    = each.value.name
  member  = module.function["balancer"].member

  condition {
    title      = "spillway-burst"
    expression = "resource.type == \"compute.googleapis.com/Instance\" && resource.name.startsWith(\"projects/${var.project}/zones/${local.burst[each.key].zone}/instances/${local.burst_machines}\")"
  }
}

# Whoever makes a machine must be allowed to act as the account that it runs as.
resource "google_service_account_iam_member" "burst_machine" {
  for_each = { for name, group in local.burst : name => group.service_account if group.service_account != null }

  service_account_id = "projects/${var.project}/serviceAccounts/${each.value}"
  role               = "roles/iam.serviceAccountUser"
  member             = module.function["balancer"].member
}
