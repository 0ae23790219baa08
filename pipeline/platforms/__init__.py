"""The platforms that the chain runs on: this machine and Vertex AI."""
