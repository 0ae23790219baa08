locals {
  bucket = coalesce(var.bucket, "${var.project}-pipelines")

  # docs/vertex.md, "The project", names the same; tests/infra/test_terraform.py compares them.
  apis = concat(
    [
      "aiplatform.googleapis.com",
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "compute.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "serviceusage.googleapis.com",
      "storage.googleapis.com",
    ],
    var.dataflow ? ["dataflow.googleapis.com"] : [],
    local.submits ? ["run.googleapis.com"] : [],
    var.trigger ? ["eventarc.googleapis.com", "pubsub.googleapis.com", "workflowexecutions.googleapis.com", "workflows.googleapis.com"] : [],
    var.schedule != null ? ["cloudscheduler.googleapis.com"] : [],
    var.billing_account != null ? ["billingbudgets.googleapis.com"] : [],
  )
}

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "apis" {
  for_each = toset(local.apis)

  service            = each.value
  disable_on_destroy = false # others may use them
}

resource "google_storage_bucket" "pipelines" {
  # checkov:skip=CKV_GCP_62: access is logged by Cloud Audit Logs where it is switched on; logs of usage need a second bucket
  # checkov:skip=CKV_GCP_78: versions would keep every overwritten file; soft delete restores what was deleted by mistake
  name                        = local.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false # data and models outlive `terraform destroy`

  soft_delete_policy {
    retention_duration_seconds = 604800 # a week, in which what was deleted or overwritten can be restored
  }
  lifecycle_rule {
    condition {
      age            = 7 # days; Dataflow deletes its files, unless it is stopped
      matches_prefix = ["tmp/"]
    }
    action {
      type = "Delete"
    }
  }

  dynamic "encryption" {
    for_each = var.encryption_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_artifact_registry_repository" "pipelines" {
  repository_id = "pipelines"
  description   = "Images of the stages"
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = var.encryption_key

  depends_on = [google_project_service.apis]
}

resource "google_vertex_ai_tensorboard" "pipelines" {
  count = var.tensorboard ? 1 : 0

  display_name = "pipelines"
  region       = var.region

  dynamic "encryption_spec" {
    for_each = var.encryption_key[*]
    content {
      kms_key_name = encryption_spec.value
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_billing_budget" "project" {
  count = var.billing_account != null ? 1 : 0

  billing_account = var.billing_account
  display_name    = "pipelines in ${var.project}"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }
  amount {
    specified_amount {
      units = var.monthly_budget
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  depends_on = [google_project_service.apis]
}
