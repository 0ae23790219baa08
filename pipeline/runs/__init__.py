"""What a run leaves in its run directory, and how that is read, repaired and removed."""
