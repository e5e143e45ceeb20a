# The deployment that people rely on: one front door is always warm, and `destroy` is refused.

module "spillway" {
  source = "../.."

  environment          = "prod"
  project              = var.project
  region               = var.region
  bundles              = "${path.root}/../../../build"
  burst_group          = var.burst_group
  deletion_protection  = var.deletion_protection
  alert_emails         = var.alert_emails
  budget               = { billing_account = var.billing_account, monthly = 200 }
  fallback_usd_per_day = var.fallback_usd_per_day
  gateway_instances    = { min = 1, max = var.gateway_max_instances }
  routes_secret        = var.routes_secret
  secrets              = var.secrets
  subnet_url           = var.subnet_url
}
