"""ML Metadata: the store and its server, queries for runs and artifacts, their graph, versions and verdicts."""
