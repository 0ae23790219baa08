"""What runs inside the image on Vertex AI, in place of what TFX has for it."""
