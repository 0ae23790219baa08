"""Prediction with a served model: which one answers, what is read of an image, and what it answers."""
