# The values of this deployment: change them to yours. Nothing here is secret.
alert_emails    = ["on-call@example.com"]
billing_account = "000000-000000-000000"
project         = "spillway-prod"
region          = "us-central1"

secrets = {
  REPLICATE_API_TOKEN   = "replicate-api-token"
  SPILLWAY_INTERNAL_KEY = "spillway-internal-key"
}
