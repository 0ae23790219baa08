"""Evaluator: measure the model on `test` with TFMA, bless or refuse it. Baseline: find the model to compare it with."""
