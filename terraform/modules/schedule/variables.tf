variable "audience" {
  description = "Audience of the tokens that the calls carry."
  type        = string
}

variable "caller" {
  description = "E-mail of the account that may call the function."
  type        = string
}

variable "description" {
  description = "One sentence for the console."
  type        = string
}

variable "endpoint" {
  description = "Address that is called."
  type        = string

  validation {
    condition     = startswith(var.endpoint, "https://")
    error_message = "A token may go over https:// only."
  }
}

variable "name" {
  description = "Name of the job."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the job."
  type        = string
}

variable "schedule" {
  description = "When, in cron's five fields, UTC."
  type        = string

  validation {
    condition     = length(split(" ", var.schedule)) == 5
    error_message = "schedule must have cron's five fields."
  }
}

variable "timeout_s" {
  description = "Seconds that a call may take."
  type        = number

  validation {
    condition     = var.timeout_s >= 15 && var.timeout_s <= 1800
    error_message = "The scheduler waits 15 to 1800 seconds."
  }
}
