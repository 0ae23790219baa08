# Who may do what. Docs: docs/vertex.md, "The service account"; tests/infra/test_terraform.py compares them.
locals {
  runner_roles = {
    project    = concat(["roles/aiplatform.user", "roles/logging.logWriter"], var.dataflow ? ["roles/dataflow.developer", "roles/dataflow.worker"] : [])
    bucket     = concat(["roles/storage.objectUser"], var.dataflow ? ["roles/storage.bucketViewer"] : [])
    repository = var.dataflow ? ["roles/artifactregistry.reader"] : []
  }

  # What every submitter needs, person or account.
  submitter_roles = {
    project    = ["roles/aiplatform.user", "roles/serviceusage.serviceUsageConsumer"]
    bucket     = ["roles/storage.objectUser"]
    repository = ["roles/artifactregistry.reader"]
  }

  # What only a person needs, who follows a job and cancels it.
  person_roles = {
    project    = concat(["roles/logging.viewer"], var.dataflow ? ["roles/dataflow.developer"] : [])
    bucket     = []
    repository = []
  }

  # A build writes its log and pushes the image; its source and the spec are in the bucket.
  builder_roles = {
    project    = ["roles/logging.logWriter"]
    bucket     = []
    repository = ["roles/artifactregistry.writer"]
  }

  # It starts the workflow, which writes what it ignores to the log. What it may do with the job: trigger.tf.
  trigger_roles = {
    project    = concat(["roles/logging.logWriter"], var.trigger ? ["roles/eventarc.eventReceiver", "roles/workflows.invoker"] : [])
    bucket     = []
    repository = []
  }

  # By names that are known before the accounts are there.
  members = merge(
    {
      runner  = { member = google_service_account.runner.member, roles = [local.runner_roles] }
      builder = { member = google_service_account.builder.member, roles = [local.submitter_roles, local.builder_roles] }
    },
    local.submits ? {
      submitter = { member = google_service_account.submitter[0].member, roles = [local.submitter_roles] }
      trigger   = { member = google_service_account.trigger[0].member, roles = [local.trigger_roles] }
    } : {},
    { for member in var.submitters : member => { member = member, roles = [local.submitter_roles, local.person_roles] } },
  )

  grants = {
    for place in ["project", "bucket", "repository"] : place => merge([
      for name, of in local.members : {
        for role in distinct(flatten(of.roles[*][place])) : "${name} ${role}" => { member = of.member, role = role }
      }
    ]...)
  }
}

resource "google_service_account" "runner" {
  account_id   = "pipeline-runner"
  display_name = "The stages of the pipeline"

  depends_on = [google_project_service.apis]
}

resource "google_service_account" "builder" {
  account_id   = "pipeline-builder"
  display_name = "Cloud Build: tests, image, spec"

  depends_on = [google_project_service.apis]
}

resource "google_service_account" "submitter" {
  count = local.submits ? 1 : 0

  account_id   = "pipeline-submitter"
  display_name = "The Cloud Run job that submits"

  depends_on = [google_project_service.apis]
}

resource "google_service_account" "trigger" {
  count = local.submits ? 1 : 0

  account_id   = "pipeline-trigger"
  display_name = "New data and the schedule: starts the Cloud Run job"

  depends_on = [google_project_service.apis]
}

resource "google_project_iam_member" "grants" {
  for_each = local.grants.project

  project = var.project
  role    = each.value.role
  member  = each.value.member
}

resource "google_storage_bucket_iam_member" "grants" {
  for_each = local.grants.bucket

  bucket = google_storage_bucket.pipelines.name
  role   = each.value.role
  member = each.value.member
}

resource "google_artifact_registry_repository_iam_member" "grants" {
  for_each = local.grants.repository

  location   = google_artifact_registry_repository.pipelines.location
  repository = google_artifact_registry_repository.pipelines.name
  role       = each.value.role
  member     = each.value.member
}

# Who starts a job as the runner: the runner itself, for the Trainer's custom job, and everyone who submits.
resource "google_service_account_iam_member" "acts_as_runner" {
  for_each = { for name, of in local.members : name => of.member if name != "trigger" }

  service_account_id = google_service_account.runner.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}
