output "cloud_yaml" {
  description = "The settings for --config: terraform output -raw cloud_yaml > cloud.yaml"
  value = yamlencode({
    vertex = merge(
      {
        project         = var.project
        region          = var.region
        bucket          = google_storage_bucket.pipelines.name
        service_account = google_service_account.runner.email
      },
      var.encryption_key != null ? { encryption_key = var.encryption_key } : {},
      var.tensorboard ? { tensorboard = google_vertex_ai_tensorboard.pipelines[0].id } : {},
    )
  })
}

output "builder" {
  description = "The account for `gcloud builds submit --service-account` and for a trigger of Cloud Build."
  value       = google_service_account.builder.id
}
