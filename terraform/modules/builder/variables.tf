variable "labels" {
  description = "Labels of bucket and repository."
  type        = map(string)
  default     = {}
}

variable "project" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number; Google's bucket of sources is named by it."
  type        = string
}

variable "region" {
  description = "Region of bucket, repository and builds."
  type        = string
}
