"""ServingCheck: serve the test split in a process with TensorFlow alone; it must answer as the Evaluator measured."""
