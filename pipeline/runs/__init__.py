"""The run directory: its layout and lock, the results and reports in it, its repair and its clean-up."""
