"""The chain and how to run it: wiring only, no tensors here."""

# The stages in the order of the chain, as `--from` and `--to` name them.
STAGES = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "PreviousData",
    "DataGate",
    "Transform",
    "Trainer",
    "Baseline",
    "Evaluator",
    "ServingCheck",
    "Pusher",
)
