"""The driver and executors that run inside the image on Vertex AI, in place of TFX's."""
