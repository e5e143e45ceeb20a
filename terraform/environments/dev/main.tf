terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  # Budgets belong to an account, not to a project: their calls are counted here.
  billing_project       = var.project
  user_project_override = true
}
