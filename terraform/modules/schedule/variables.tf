variable "call" {
  description = "The function that is called: its address, the account that may call it, and the seconds that it may take."
  type        = object({ caller = string, timeout_s = number, url = string })
  default     = null

  validation {
    condition     = (var.call == null) != (var.message == null)
    error_message = "A schedule either calls a function or sends a message."
  }

  validation {
    condition     = try(startswith(var.call.url, "https://"), var.call == null)
    error_message = "A token may go over https:// only."
  }

  validation {
    condition     = try(var.call.timeout_s >= 15 && var.call.timeout_s <= 1800, var.call == null)
    error_message = "The scheduler waits 15 to 1800 seconds."
  }
}

variable "description" {
  description = "One sentence for the console."
  type        = string
}

variable "message" {
  description = "The message that is sent: its topic (projects/PROJECT/topics/NAME) and its attributes."
  type        = object({ attributes = map(string), topic = string })
  default     = null
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
