variable "ack_deadline_s" {
  description = "Seconds that the function has for one message before it is pushed again."
  type        = number

  validation {
    condition     = var.ack_deadline_s >= 10 && var.ack_deadline_s <= 600
    error_message = "Pub/Sub waits 10 to 600 seconds for an answer."
  }
}

variable "audience" {
  description = "Audience of the tokens that the pushes carry."
  type        = string
}

variable "backoff_s" {
  description = "Seconds between attempts: at least, at most."
  type        = tuple([number, number])
  default     = [10, 600]

  validation {
    condition     = var.backoff_s[0] >= 0 && var.backoff_s[0] <= var.backoff_s[1] && var.backoff_s[1] <= 600
    error_message = "backoff_s must rise within 0 to 600 seconds."
  }
}

variable "caller" {
  description = "E-mail of the account that may call the function."
  type        = string
}

variable "endpoint" {
  description = "Address that the messages are pushed to."
  type        = string

  validation {
    condition     = startswith(var.endpoint, "https://")
    error_message = "Pub/Sub pushes to https:// only."
  }
}

variable "function" {
  description = "Name of the function that takes the messages."
  type        = string
}

variable "labels" {
  description = "Labels of topics and subscriptions."
  type        = map(string)
  default     = {}
}

variable "max_attempts" {
  description = "Deliveries of one message before it is laid aside."
  type        = number

  validation {
    condition     = var.max_attempts >= 5 && var.max_attempts <= 100
    error_message = "Pub/Sub counts 5 to 100 attempts."
  }
}

variable "name" {
  description = "Name of the topic."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,39}$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens."
  }
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number; Pub/Sub's own account is named by it."
  type        = string
}

variable "publishers" {
  description = "Who may write: function to IAM member."
  type        = map(string)
}

variable "undertakers" {
  description = "Who lays aside by itself what failed for good: function to IAM member."
  type        = map(string)
  default     = {}
}
