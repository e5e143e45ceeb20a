# What one function tells another, by topic. Functions find topics by the name of their deployment (docs/settings.md).

locals {
  deployment = lookup(var.settings, "SPILLWAY_DEPLOYMENT", "spillway")

  queues = {
    announcements = { to = "notifier", from = ["redemptions"], lays_aside = [], backoff_s = [10, 600], attempts = 8 }
    # Whoever waits for a job waits for its message too. The worker lays aside by itself what failed for good. Where all
    # workers are busy Cloud Run refuses messages for them, which counts like a worker's own refusal: so many attempts,
    # and no more than are over before JobsNotTaken would speak of them.
    jobs = { to = "worker", from = ["gateway", "worker"], lays_aside = ["worker"], backoff_s = [1, 60], attempts = 16 }
  }
}

module "queue" {
  source   = "./modules/queue"
  for_each = local.queues

  name           = "${local.deployment}-${each.key}"
  project        = var.project
  project_number = local.project_number
  labels         = local.labels
  function       = module.function[each.value.to].name
  endpoint       = module.function[each.value.to].url
  audience       = module.function[each.value.to].url
  caller         = module.function[each.value.to].caller
  ack_deadline_s = local.functions[each.value.to].timeout_s
  backoff_s      = each.value.backoff_s
  max_attempts   = each.value.attempts
  undertakers    = { for name in each.value.lays_aside : name => module.function[name].member }
  publishers     = { for name in each.value.from : name => module.function[name].member }
}

# The worker's sweep is a message too: one worker of those that there are takes it.
module "sweep" {
  source = "./modules/schedule"

  name        = "sweep"
  project     = var.project
  region      = var.region
  description = "Every minute: jobs, webhooks and results that were forgotten."
  schedule    = "* * * * *"
  message     = { topic = module.queue["jobs"].topic_id, attributes = { kind = "sweep" } }
}
