variable "project" {
  description = "Id of an existing project with a billing account."
  type        = string

  validation {
    condition     = can(regex("^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{0,29}$", var.project))
    error_message = "Write the id of the project (small letters, digits and -), not its number or title."
  }
}

variable "region" {
  description = "Region of all that is created; one of Vertex AI."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Write a region without the letter of a zone, for example us-central1."
  }
}

variable "bucket" {
  description = "Name of the bucket; PROJECT-pipelines if not set, as for vertex.bucket."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "Write the name of the bucket alone, without gs://: my-bucket."
  }
}

variable "submitters" {
  description = "Who else may submit jobs, for example user:me@example.com or group:team@example.com."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.submitters : can(regex("^(user|group|serviceAccount):[^@]+@[^@]+$", member))])
    error_message = "Write user:EMAIL, group:EMAIL or serviceAccount:EMAIL."
  }
}

variable "dataflow" {
  description = "Whether stages may run on Dataflow (vertex.dataflow.max_workers)."
  type        = bool
  default     = false
}

variable "encryption_key" {
  description = "projects/…/locations/…/keyRings/…/cryptoKeys/… of the same region, that encrypts what is created; Google's own keys if not set."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption_key))
    error_message = "Write projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, without a version."
  }
}

variable "trigger" {
  description = "Whether an object ready/NAME in the bucket submits a job on the data in data/NAME."
  type        = bool
  default     = false
}

variable "schedule" {
  description = "Cron expression of five fields at whose times a job is submitted; none if not set."
  type        = string
  default     = null

  validation {
    condition     = var.schedule == null || can(regex("^\\S+( \\S+){4}$", var.schedule))
    error_message = "Write five fields: 0 3 * * 1. The time zone is the variable time_zone."
  }
}

variable "time_zone" {
  description = "Time zone of the schedule, for example Europe/Paris."
  type        = string
  default     = "Etc/UTC"
}

variable "image" {
  description = "Image of the job that submits; REGION-docker.pkg.dev/PROJECT/pipelines/image-classification:latest if not set."
  type        = string
  default     = null
}

variable "tensorboard" {
  description = "Whether to create an instance of Vertex AI TensorBoard."
  type        = bool
  default     = false
}

variable "billing_account" {
  description = "Id of the billing account of the budget: 012345-6789AB-CDEF01."
  type        = string
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "Write the id that `gcloud billing accounts list` shows: 012345-6789AB-CDEF01."
  }
}

variable "monthly_budget" {
  description = "Costs of the project in a month, in the currency of the billing account, at 50, 90 and 100 % of which its administrators get an e-mail. Nothing is stopped. None if billing_account is not set."
  type        = number
  default     = 100

  validation {
    condition     = var.monthly_budget >= 1 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "Write a whole number, 1 or more."
  }
}
