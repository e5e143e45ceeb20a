variable "cors_origins" {
  description = "Origins whose pages may fetch objects by addresses that an operator has signed."
  type        = set(string)
  default     = []
}

variable "days" {
  description = "Days that objects are kept: prefix to days."
  type        = map(number)

  validation {
    condition     = alltrue([for prefix, days in var.days : endswith(prefix, "/") && days >= 1])
    error_message = "A prefix ends with / and its objects live a day or more."
  }
}

variable "days_since_kept" {
  description = "Days that objects are kept after the last time that they were asked to be (their custom time): prefix to days."
  type        = map(number)

  validation {
    condition     = alltrue([for prefix, days in var.days_since_kept : endswith(prefix, "/") && days >= 1])
    error_message = "A prefix ends with / and its objects live a day or more."
  }
}

variable "deletion_protection" {
  description = "Whether a bucket that holds something refuses to be destroyed."
  type        = bool
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Location of the bucket."
  type        = string
}

variable "name" {
  description = "Name of the bucket; no other in the world may have it."
  type        = string
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "users" {
  description = "Who reads, writes and removes objects: function to IAM member."
  type        = map(string)
}
