"""The chain and how to run it: wiring only, no tensors here."""

# The stages in the order of the chain, as `--from` and `--to` name them. WarmStart and Tuner are only in a
# run that asks for them.
STAGES = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "PreviousData",
    "DataGate",
    "Transform",
    "WarmStart",
    "Tuner",
    "Trainer",
    "Baseline",
    "Evaluator",
    "ServingCheck",
    "Pusher",
)
