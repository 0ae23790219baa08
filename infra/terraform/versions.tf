terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  # Budgets are asked for in the name of a project, also where the credentials are a person's.
  billing_project       = var.project
  user_project_override = true
}
