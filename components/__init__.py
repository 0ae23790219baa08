"""What happens inside the stages: one folder a stage, none of which imports another."""
