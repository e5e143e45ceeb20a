# A deployment to try things in: nothing is kept warm, and `destroy` leaves nothing.

module "spillway" {
  source = "../.."

  environment          = "dev"
  project              = var.project
  region               = var.region
  bundles              = "${path.root}/../../../build"
  burst_group          = var.burst_group
  deletion_protection  = var.deletion_protection
  alert_emails         = var.alert_emails
  budget               = var.billing_account == null ? null : { billing_account = var.billing_account, monthly = 20 }
  fallback_usd_per_day = var.fallback_usd_per_day
  routes_secret        = var.routes_secret
  secrets              = var.secrets
  # Where both rent burst orchestrators from one account, neither takes the other's for its own.
  settings   = { SPILLWAY_DEPLOYMENT = "spillway-dev" }
  subnet_url = var.subnet_url
}
