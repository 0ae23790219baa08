# New data, or a schedule, starts a Cloud Run job, which submits the compiled pipeline. docs/vertex-automation.md, "On new data".
locals {
  submits = var.trigger || var.schedule != null
  image   = coalesce(var.image, "${var.region}-docker.pkg.dev/${var.project}/pipelines/image-classification:latest")
}

resource "google_cloud_run_v2_job" "submit" {
  count = local.submits ? 1 : 0

  name                = "pipeline-submit"
  location            = var.region
  deletion_protection = false

  template {
    template {
      service_account = google_service_account.submitter[0].email
      encryption_key  = var.encryption_key
      timeout         = "900s"
      max_retries     = 0 # the command repeats its requests itself; without --job-id a second start is a second job

      containers {
        image   = local.image
        command = ["python", "-m", "pipeline"]
        args    = ["vertex", "submit", "--spec", "/bucket/release/pipeline.json", "--no-wait"]

        resources {
          limits = {
            cpu    = "1"
            memory = "1Gi"
          }
        }
        volume_mounts {
          name       = "bucket"
          mount_path = "/bucket"
        }
      }
      volumes {
        name = "bucket"
        gcs {
          bucket    = google_storage_bucket.pipelines.name
          read_only = true
        }
      }
    }
  }

  depends_on = [google_project_iam_member.grants, google_storage_bucket_iam_member.grants]
}

# run.invoker may not override the arguments, run.developer may change the job.
resource "google_cloud_run_v2_job_iam_member" "trigger" {
  count = local.submits ? 1 : 0

  name     = google_cloud_run_v2_job.submit[0].name
  location = var.region
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.trigger[0].member
}

resource "google_workflows_workflow" "new_data" {
  count = var.trigger ? 1 : 0

  name                = "pipeline-new-data"
  description         = "Submits a job on the data that an object ready/NAME announces"
  region              = var.region
  service_account     = google_service_account.trigger[0].id
  crypto_key_name     = var.encryption_key
  deletion_protection = false
  source_contents     = file("${path.module}/../trigger/workflow.yaml")

  user_env_vars = {
    JOB = google_cloud_run_v2_job.submit[0].id
  }

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic" "ready" {
  count = var.trigger ? 1 : 0

  name         = "pipeline-ready"
  kms_key_name = var.encryption_key

  depends_on = [google_project_service.apis]
}

data "google_storage_project_service_account" "storage" {
  count = var.trigger ? 1 : 0
}

resource "google_pubsub_topic_iam_member" "storage" {
  count = var.trigger ? 1 : 0

  topic  = google_pubsub_topic.ready[0].name
  role   = "roles/pubsub.publisher"
  member = data.google_storage_project_service_account.storage[0].member
}

# Eventarc's own events of Cloud Storage cannot be filtered by name: each file of the data and of the stages would start
# the workflow. A notification can.
resource "google_storage_notification" "ready" {
  count = var.trigger ? 1 : 0

  bucket             = google_storage_bucket.pipelines.name
  topic              = google_pubsub_topic.ready[0].id
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = "ready/"
  payload_format     = "NONE" # the attributes of the message name the object

  depends_on = [google_pubsub_topic_iam_member.storage]
}

resource "google_eventarc_trigger" "ready" {
  count = var.trigger ? 1 : 0

  name            = "pipeline-ready"
  location        = var.region
  service_account = google_service_account.trigger[0].email

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.pubsub.topic.v1.messagePublished"
  }
  transport {
    pubsub {
      topic = google_pubsub_topic.ready[0].id
    }
  }
  destination {
    workflow = google_workflows_workflow.new_data[0].id
  }

  depends_on = [google_project_iam_member.grants]
}

resource "google_cloud_scheduler_job" "submit" {
  count = var.schedule != null ? 1 : 0

  name        = "pipeline-submit"
  description = "Submits the compiled pipeline"
  region      = var.region
  schedule    = var.schedule
  time_zone   = var.time_zone

  retry_config {
    retry_count = 0 # a request that was repeated could start a second job
  }
  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.submit[0].id}:run"

    oauth_token {
      service_account_email = google_service_account.trigger[0].email
    }
  }

  depends_on = [google_project_service.apis, google_cloud_run_v2_job_iam_member.trigger]
}
