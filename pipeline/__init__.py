"""The chain and how to run it: wiring only, no tensors here."""
