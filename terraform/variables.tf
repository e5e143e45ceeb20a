variable "alert_emails" {
  description = "Addresses that alerts and the budget's warnings go to."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alert_emails must be e-mail addresses."
  }
}

variable "audit" {
  description = "Whether Google's audit log keeps who writes to the state by other means than the functions: keys and orders. It takes the place of what the project has set for Firestore."
  type        = bool
  default     = true
}

variable "auth" {
  description = "How the front door knows its callers: `keys` (it is public then), or `none`, where only those whom IAM lets in may call it."
  type        = string
  default     = "keys"

  validation {
    condition     = contains(["keys", "none"], var.auth)
    error_message = "auth must be keys or none."
  }
}

variable "budget" {
  description = "Monthly budget of the project in the billing account's currency, and the parts of it at which somebody is told; null for none."

  type = object({
    billing_account = string
    monthly         = number
    warn_at         = optional(list(number), [0.5, 0.8, 1])
  })

  default = null
}

variable "bundles" {
  description = "Folder of the functions' zips, as `make bundle` writes them."
  type        = string
}

variable "burst_group" {
  description = "Zonal managed instance group of this project whose machines the balancer rents as burst orchestrators, and the account that they run as where their template names one; null for none."

  type = object({
    name            = string
    service_account = optional(string)
    zone            = string
  })

  default = null

  validation {
    condition     = var.burst_group == null ? true : can(regex("^[a-z]([-a-z0-9]*[a-z0-9])?$", var.burst_group.name)) && can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z]$", var.burst_group.zone))
    error_message = "burst_group must name a group, and its zone: one like us-central1-a."
  }

  validation {
    condition     = try(var.burst_group.service_account, null) == null ? true : can(regex("^[^@ ]+@[^@ ]+$", var.burst_group.service_account))
    error_message = "burst_group.service_account must be an account's e-mail address."
  }
}

variable "chain" {
  description = "What redemptions are read of Arbitrum One, where it is not the usual (docs/redemptions.md): the gateways' addresses, the first block, and how many blocks on top make one final instead of the chain's own word."

  type = object({
    confirmations = optional(number)
    senders       = optional(set(string))
    start_block   = optional(number)
  })

  default = {}

  validation {
    condition     = var.chain.senders == null ? true : alltrue([for sender in var.chain.senders : can(regex("^0x[0-9a-fA-F]{40}$", sender))])
    error_message = "chain.senders must be addresses: 0x and 40 hexadecimal digits."
  }
}

variable "cors_origins" {
  description = "Origins whose pages may fetch results from the bucket itself, by addresses that an operator has signed; the front door lets any page fetch them."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^/]+$", origin))])
    error_message = "cors_origins must be origins such as https://app.example, without a path."
  }
}

variable "deletion_protection" {
  description = "Whether `destroy` spares what money and callers depend on: the database and the results."
  type        = bool
}

variable "environment" {
  description = "Which deployment this is, in labels: dev, prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.environment))
    error_message = "environment must be 2 to 21 lower-case letters, digits and hyphens."
  }
}

variable "fallback_usd_per_day" {
  description = "Cap on hosted inference, in dollars a UTC day; null for none."
  type        = number
  default     = null

  validation {
    condition     = try(var.fallback_usd_per_day >= 0, var.fallback_usd_per_day == null)
    error_message = "fallback_usd_per_day must be 0 or more."
  }
}

variable "firestore_location" {
  description = "Location of the database; default: the region. It can't be changed later."
  type        = string
  default     = null
}

variable "gateway_callers" {
  description = "Who may call the front door where `auth` is none, as IAM names them."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.gateway_callers : can(regex("^(user|group|serviceAccount|domain):.+", member))])
    error_message = "gateway_callers must be members such as user:EMAIL; for everybody, set auth to keys."
  }
}

variable "gateway_instances" {
  description = "Instances of the front door. One at most keeps the routing policy exact (docs/policy.md says what more of them cost); one at least spares callers its start."

  type = object({
    max = optional(number, 1)
    min = optional(number, 0)
  })

  default = {}

  validation {
    condition     = var.gateway_instances.max >= 1 && var.gateway_instances.max <= 16
    error_message = "gateway_instances.max must be 1 to 16: the policy was studied no further."
  }
}

variable "labels" {
  description = "Further labels of everything that takes some."
  type        = map(string)
  default     = {}
}

variable "project" {
  description = "Project id."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project's id: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "public_url" {
  description = "Address by which callers reach the front door, where it has a name of its own; null for the one that Google gives it."
  type        = string
  default     = null
}

variable "region" {
  description = "Region of functions, images, schedules and results."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be one like us-central1."
  }
}

variable "routes_secret" {
  description = "Secret that holds the routes file (docs/settings.md); null for the built-in routes."
  type        = string
  default     = null
}

variable "runtime" {
  description = "Runtime of the functions."
  type        = string
  default     = "python312"
}

variable "secrets" {
  description = "Secret settings: the environment variable to the id of the secret that holds it. The secrets are made beforehand, so that no state ever holds their values."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, secret in var.secrets : can(regex("^[A-Z][A-Z0-9_]+$", name)) && can(regex("^[A-Za-z0-9_-]{1,255}$", secret))])
    error_message = "secrets must name environment variables and ids of secrets, not their values."
  }
}

variable "send_metrics" {
  description = "Whether the front door sends its metrics to Cloud Monitoring, where most alerts look at them. False where they go elsewhere: name it by OTEL_ variables in `settings`."
  type        = bool
  default     = true
}

variable "settings" {
  description = "Further settings of docs/settings.md, and OTEL_ variables, the same for all functions. Nothing secret."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^(OTEL|SPILLWAY)_[A-Z_]+$", name)) && !can(regex("SECRET|TOKEN|WEBHOOK|RPC|HEADERS", name))])
    error_message = "settings must be names that begin with SPILLWAY_ or OTEL_; what is secret belongs in `secrets`."
  }
}

variable "subnet_cli_url" {
  description = "CLI port of the on-chain subnet gateway; null where it can't be reached."
  type        = string
  default     = null
}

variable "subnet_url" {
  description = "The on-chain subnet gateway; null where only hosted inference answers."
  type        = string
  default     = null

  validation {
    condition     = var.subnet_url == null || can(regex("^https?://[^/]+", var.subnet_url))
    error_message = "subnet_url must be an http:// or https:// address."
  }
}
