variable "alert_emails" {
  description = "Addresses that alerts and the budget's warnings go to."
  type        = set(string)

  validation {
    condition     = length(var.alert_emails) > 0
    error_message = "alert_emails must name somebody: an alert that nobody gets is none."
  }
}

variable "billing_account" {
  description = "Billing account of the project, for its budget."
  type        = string
}

variable "burst_group" {
  description = "Managed instance group whose machines the balancer rents as burst orchestrators; null for none."

  type = object({
    name            = string
    service_account = optional(string)
    zone            = string
  })

  default = null
}

variable "deletion_protection" {
  description = "Whether `destroy` spares the database and the results. To destroy: apply with false first."
  type        = bool
  default     = true
}

variable "fallback_usd_per_day" {
  description = "Cap on hosted inference, in dollars a UTC day."
  type        = number
  default     = 25
}

variable "gateway_max_instances" {
  description = "Instances of the front door at most; one keeps the routing policy exact."
  type        = number
  default     = 1
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of functions, images, schedules and results."
  type        = string
}

variable "routes_secret" {
  description = "Secret that holds the routes file; null for the built-in routes."
  type        = string
  default     = null
}

variable "secrets" {
  description = "Secret settings: the environment variable to the id of the secret that holds it."
  type        = map(string)
}

variable "subnet_url" {
  description = "The on-chain subnet gateway; null where only hosted inference answers."
  type        = string
  default     = null
}
