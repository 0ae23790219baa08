"""The chain and how to run it: wiring only, no tensors here."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the project

# The stages in the order of the chain, as `--from` and `--to` name them; the optional ones are only in a run that asks
# for them, by `--warm-start` and `--tune`.
ALL_STAGES = (
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
OPTIONAL_STAGES = ("WarmStart", "Tuner")
STAGES = tuple(stage for stage in ALL_STAGES if stage not in OPTIONAL_STAGES)


def stage_named(word: str) -> str:
    """Return the stage of that name, in any case.

    Raises:
      ValueError: there is none.
    """
    for name in ALL_STAGES:
        if name.lower() == word.lower():
            return name
    from components.text import did_you_mean

    raise ValueError(f"unknown stage {word!r}; {did_you_mean(word, ALL_STAGES)}")
