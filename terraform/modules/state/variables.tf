variable "audited" {
  description = "Whether writes by others than the users are kept in Google's audit log."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether the database refuses to be destroyed, and keeps seven days of its past."
  type        = bool
}

variable "location" {
  description = "Location of the database; it can't be changed later."
  type        = string
}

variable "name" {
  description = "Name of the database."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.name))
    error_message = "name must be 4 to 63 lower-case letters, digits and hyphens."
  }
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "users" {
  description = "Who reads and writes: function to IAM member."
  type        = map(string)
}
