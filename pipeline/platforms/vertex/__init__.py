"""The chain on Vertex AI Pipelines."""
