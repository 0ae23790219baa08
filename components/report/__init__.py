"""The report of a run, the index of all runs, the comparison of two, and the model card, as HTML."""
