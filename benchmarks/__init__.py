"""Measurements of speed and memory: a module each, run by `python -m benchmarks.NAME`."""

import warnings

# Google's libraries say at every import that Python 3.10 is at its end; TFX 1.16 has no newer one.
warnings.filterwarnings("ignore", r"You are using a (non-supported )?Python version", FutureWarning)
