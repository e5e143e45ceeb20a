variable "build_account" {
  description = "Service account that builds the function: projects/PROJECT/serviceAccounts/EMAIL."
  type        = string
}

variable "bundle" {
  description = "Path of the function's zip, as `make bundle` writes it."
  type        = string

  validation {
    condition     = fileexists(var.bundle)
    error_message = "There is no ${var.bundle}: run `make bundle` first."
  }
}

variable "called_by_google" {
  description = "Whether Pub/Sub or the scheduler call the function: it takes calls from inside the project only then, with a token of an account that is made for them."
  type        = bool
}

variable "callers" {
  description = "Who else may call the function, as IAM names them: allUsers for everybody. It has to check its callers by itself then."
  type        = set(string)
  default     = []

  validation {
    condition     = !contains(var.callers, "allUsers") || !var.called_by_google
    error_message = "A function that Pub/Sub or the scheduler call is not for everybody."
  }
}

variable "concurrency" {
  description = "Requests that one instance serves at a time."
  type        = number

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000 && floor(var.concurrency) == var.concurrency
    error_message = "Cloud Run serves 1 to 1000 requests at a time in one instance."
  }
}

variable "cpu" {
  description = "Processors of one instance. More than one request at a time needs a whole one."
  type        = string

  validation {
    condition     = contains(["1", "2", "4", "6", "8"], var.cpu)
    error_message = "cpu must be 1, 2, 4, 6 or 8."
  }
}

variable "cpu_between_requests" {
  description = "Whether an instance keeps its processor between requests (and is paid for as long as it lives)."
  type        = bool
  default     = false
}

variable "description" {
  description = "One sentence for the console."
  type        = string
}

variable "docker_repository" {
  description = "Artifact Registry repository of the built images: projects/PROJECT/locations/REGION/repositories/ID."
  type        = string
}

variable "environment" {
  description = "Environment variables. Nothing secret: they are part of the state."
  type        = map(string)
  default     = {}
}

variable "labels" {
  description = "Labels of the function."
  type        = map(string)
  default     = {}
}

variable "max_instances" {
  description = "Instances at most."
  type        = number

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000
    error_message = "max_instances must be 1 to 1000."
  }
}

variable "memory" {
  description = "Memory of one instance."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.memory))
    error_message = "memory must be a number of Mi or Gi, such as 512Mi."
  }
}

variable "min_instances" {
  description = "Instances that are kept while nobody calls."
  type        = number
  default     = 0

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= var.max_instances
    error_message = "min_instances must be 0 to max_instances."
  }
}

variable "name" {
  description = "The function: its folder, its bundle, its entry point and its service."
  type        = string

  validation {
    # An account's name has 30 characters, and `spillway-calls-` takes 15.
    condition     = can(regex("^[a-z][a-z0-9]{1,14}$", var.name))
    error_message = "name must be 2 to 15 lower-case letters and digits."
  }
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "runtime" {
  description = "Runtime of Cloud Run functions."
  type        = string

  validation {
    condition     = can(regex("^python3(1[1-9])$", var.runtime))
    error_message = "runtime must be python311 or newer."
  }
}

variable "secret_files" {
  description = "Files whose content is a secret's latest version: absolute path to secret id."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Environment variables whose value is a secret's latest version: variable to secret id."
  type        = map(string)
  default     = {}
}

variable "source_bucket" {
  description = "Bucket that takes the bundle."
  type        = string
}

variable "timeout_s" {
  description = "Seconds for one request."
  type        = number

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 3600
    error_message = "timeout_s must be 1 to 3600."
  }
}

variable "url" {
  description = "Address that the function will have, and the audience of tokens for it."
  type        = string
}
