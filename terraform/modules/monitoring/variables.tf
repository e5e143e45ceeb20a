variable "alerts" {
  description = "Alerts by name: a PromQL query that holds for `for_s` seconds, looked at every `every_s`; what it says (`summary`), what to do (`action`, Markdown) and how bad it is."

  type = map(object({
    action   = string
    every_s  = optional(number, 60)
    for_s    = optional(number, 300)
    query    = string
    severity = optional(string, "WARNING")
    summary  = string
  }))

  validation {
    condition     = alltrue([for alert in var.alerts : contains(["CRITICAL", "ERROR", "WARNING"], alert.severity)])
    error_message = "An alert's severity must be CRITICAL, ERROR or WARNING."
  }

  validation {
    condition     = alltrue([for alert in var.alerts : alert.every_s >= 30 && alert.every_s % 30 == 0 && alert.for_s % 60 == 0])
    error_message = "Cloud Monitoring looks every multiple of 30 seconds, and waits for whole minutes."
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

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "A billing account is named like 012345-6789AB-CDEF01."
  }

  validation {
    condition     = try(var.budget.monthly >= 1 && floor(var.budget.monthly) == var.budget.monthly, var.budget == null)
    error_message = "The budget must be a whole number of 1 or more."
  }
}

variable "emails" {
  description = "Addresses that alerts and the budget's warnings go to."
  type        = set(string)

  validation {
    condition     = length(var.emails) <= 5
    error_message = "A budget warns five channels at most; use a group's address."
  }
}

variable "labels" {
  description = "Labels of the alerts."
  type        = map(string)
  default     = {}
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number, by which billing names the project."
  type        = string
}
