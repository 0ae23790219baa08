"""The code that runs inside the stages: a package per stage, none of which imports another."""
