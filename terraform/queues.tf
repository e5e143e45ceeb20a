# What one function tells another, by topic: the names are of docs/settings.md, for the deployment `spillway`.

locals {
  queues = {
    spillway-announcements = { to = "notifier", from = ["redemptions"] }
  }
}

module "queue" {
  source   = "./modules/queue"
  for_each = local.queues

  name           = each.key
  project        = var.project
  project_number = local.project_number
  labels         = local.labels
  function       = module.function[each.value.to].name
  endpoint       = module.function[each.value.to].url
  audience       = module.function[each.value.to].url
  caller         = module.function[each.value.to].caller
  ack_deadline_s = local.functions[each.value.to].timeout_s
  publishers     = { for name in each.value.from : name => module.function[name].member }
}
