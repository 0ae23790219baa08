"""What is asked of ML Metadata: runs, stages and artifacts, who made what from what, versions and verdicts."""
