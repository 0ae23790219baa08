"""Where the chain runs: this machine or Vertex AI."""
