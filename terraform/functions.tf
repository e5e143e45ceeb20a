# The functions. One entry describes one: the key is its folder, bundle, entry point and service.

locals {
  functions = {
    balancer = {
      description   = "Every minute: proofs of how well the subnet does, warm instances, burst orchestrators."
      concurrency   = 1
      cpu           = "1"
      memory        = "512Mi"
      timeout_s     = 300
      max_instances = 1
      schedule      = "* * * * *"
      secrets       = concat(["REPLICATE_API_TOKEN", "TENSORDOCK_API_TOKEN"], local.burst_secrets)
      environment   = local.burst_environment
    }

    gateway = {
      description = "The HTTP front door."
      # Each listener of an event stream holds one of these places; the front door caps listeners below.
      concurrency = 1000
      cpu         = "1"
      # 256 MiB of bodies at most, pictures and videos while they are decoded, and 150 MiB for itself.
      memory = "2Gi"
      # An event stream is resumed by its listener when it ends.
      timeout_s     = 3600
      min_instances = var.gateway_instances.min
      max_instances = var.gateway_instances.max
      # It tells the other instances what it has seen after it has answered.
      cpu_between_requests = true
      # Whoever is not asked for a key must be somebody whom Google has checked.
      callers = var.auth == "keys" ? ["allUsers"] : var.gateway_callers
      secrets = local.job_secrets
      environment = merge(local.job_environment, local.telemetry, {
        SPILLWAY_MAX_LISTENERS = "800"
      })
    }

    notifier = {
      description = "Announces in Discord what waits in the outbox, whenever Pub/Sub says that something may."
      # Announcements are told in their order, by one at a time.
      concurrency   = 1
      cpu           = "1"
      memory        = "512Mi"
      timeout_s     = 120
      max_instances = 1
      secrets       = ["SPILLWAY_DISCORD_WEBHOOK_URL"]
    }

    redemptions = {
      description   = "Every minute: winning tickets from the chain, each stored once with its announcement."
      concurrency   = 1
      cpu           = "1"
      memory        = "512Mi"
      timeout_s     = 120
      max_instances = 1
      schedule      = "* * * * *"
      # A node's address holds the key of who pays for it.
      secrets = ["SPILLWAY_ENS_RPC_URL", "SPILLWAY_RPC_URL"]
      environment = { for name, value in {
        SPILLWAY_CONFIRMATIONS = var.chain.confirmations
        SPILLWAY_SENDERS       = var.chain.senders == null ? null : join(",", var.chain.senders)
        SPILLWAY_START_BLOCK   = var.chain.start_block
      } : name => tostring(value) if value != null }
    }

    worker = {
      description = "Runs the job that Pub/Sub says is due; sweeps every minute for what was forgotten."
      # It waits for others most of the time; results are decoded one by one.
      concurrency = 40
      cpu         = "1"
      memory      = "2Gi"
      # Pub/Sub waits no longer.
      timeout_s     = 600
      max_instances = 5
      secrets       = local.job_secrets
      environment = merge(local.job_environment, local.to_gateway ? {
        SPILLWAY_GATEWAY_URL = "https://gateway${local.address}"
      } : {})
    }
  }

  # What follows a function's name in the address that Cloud Run gives it: known before anything is there, so that
  # functions can be told each other's addresses, and their own as the audience of tokens.
  address = "-${local.project_number}.${var.region}.run.app"

  # Those that take, run and show jobs.
  job_secrets = [
    "REPLICATE_API_TOKEN", "SPILLWAY_INTERNAL_KEY", "SPILLWAY_REPLICATE_WEBHOOK_SECRET", "SPILLWAY_WEBHOOK_SECRET",
  ]
  job_environment = {
    SPILLWAY_ARTIFACTS  = "gs://${local.artifacts}"
    SPILLWAY_AUTH       = var.auth
    SPILLWAY_PUBLIC_URL = coalesce(var.public_url, "https://gateway${local.address}")
  }

  # The worker shows a key of its own, which IAM knows nothing of: it needs a front door that is open to all.
  to_gateway = var.auth == "keys" && contains(keys(var.secrets), "SPILLWAY_INTERNAL_KEY")

  # What all of them are told.
  environment = merge(var.settings, {
    for name, value in {
      SPILLWAY_FALLBACK_USD_PER_DAY = var.fallback_usd_per_day
      SPILLWAY_QUEUE                = "pubsub://${var.project}"
      SPILLWAY_ROUTES               = var.routes_secret == null ? null : local.routes_file
      SPILLWAY_STATE                = "firestore://${var.project}/${local.database}"
      SPILLWAY_SUBNET_CLI_URL       = var.subnet_cli_url
      SPILLWAY_SUBNET_URL           = var.subnet_url
    } : name => tostring(value) if value != null
  })

  routes_file = "/etc/spillway/routes.toml"
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name                 = each.key
  project              = var.project
  url                  = "https://${each.key}${local.address}"
  region               = var.region
  runtime              = var.runtime
  bundle               = "${var.bundles}/${each.key}.zip"
  build_account        = module.builder.account
  docker_repository    = module.builder.images
  source_bucket        = module.builder.sources
  labels               = local.labels
  description          = each.value.description
  concurrency          = each.value.concurrency
  cpu                  = each.value.cpu
  cpu_between_requests = try(each.value.cpu_between_requests, false)
  memory               = each.value.memory
  timeout_s            = each.value.timeout_s
  min_instances        = try(each.value.min_instances, 0)
  max_instances        = each.value.max_instances
  called_by_google     = !can(each.value.callers)
  callers              = try(each.value.callers, [])
  environment          = merge(local.environment, try(each.value.environment, {}))
  secrets              = { for name in each.value.secrets : name => var.secrets[name] if contains(keys(var.secrets), name) }
  secret_files         = var.routes_secret == null ? {} : { (local.routes_file) = var.routes_secret }

  depends_on = [google_project_service.needed]
}

module "builder" {
  source = "./modules/builder"

  project        = var.project
  project_number = local.project_number
  region         = var.region
  labels         = local.labels

  depends_on = [google_project_service.needed]
}
