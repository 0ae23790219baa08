"""The record of a training, as the Trainer leaves it in its ModelRun."""

from __future__ import annotations

import dataclasses

from components import files
from components.contracts import stored

HISTORY_FILE = "history.json"  # a list of Epoch
SUMMARY_FILE = "model_summary.txt"  # the network, a line a layer, for people
SIZE_FILE = "model_size.json"  # a Size
CLASS_WEIGHTS_FILE = "class_weights.json"  # a ClassWeights; none where all classes weigh the same
PRETRAINED_FILE = "pretrained.json"  # a Pretrained; of a pretrained network alone
BUDGET_FILE = "budget.json"  # a Budget; where the training was planned for a time
SETUP_FILE = "setup.json"  # a Setup; none in records of before
SAMPLES_FILE = "augmentation.png"  # a row an image: itself, then variations such as the network trains on
ROWS_FILE = "augmentation.json"  # a SampleRows; none in records of before
MODEL_FILE = "model.keras"  # the network alone, from normalised images to logits, its views included
TENSORBOARD_DIR = "tensorboard"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Epoch:
    """The measurements of one epoch.

    Attributes:
      network: of an ensemble, from 1; None where there is one.
      epoch: from 1; 0 is the last layer of a pretrained network, fitted before anything else is trained.
      loss, accuracy: of the training images, as augmented.
      val_loss, val_accuracy: of the validation images.
      learning_rate: at its end.
      seconds, pictures_per_second: of training, without the validation.
      waiting: the share of the steps' time in which they waited for data; None of epoch 0, and in records before it was
        measured.
      kept: True of the epoch whose weights are the model's, where that was not the last by rule; else None.
    """

    network: int | None = None
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float
    pictures_per_second: float
    waiting: float | None = None
    kept: bool | None = None

    def measured(self) -> dict[str, float]:
        """Return the fields that are not None, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Size:
    """The size of the network."""

    parameters: int


@dataclasses.dataclass(frozen=True)
class ClassWeights:
    """The weights of the classes in the training loss.

    Attributes:
      kind: the setting `trainer.class_weights`.
      of_class: the weight of each class, by its name, of mean 1 over the training images.
    """

    kind: str
    of_class: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """The weights that the training of a pretrained network began with.

    Attributes:
      weights: what they are called, or the path of the user's file.
      sha256: of their file.
      licence: of the weights; empty for the user's file.
      source: the URL they were published at; empty for the user's file.
    """

    weights: str
    sha256: str
    licence: str
    source: str


@dataclasses.dataclass(frozen=True)
class Setup:
    """How the network was trained.

    Attributes:
      network: the setting `trainer.network`.
      optimizer: the name of its class.
      learning_rate: the highest.
      batch_size: images a step, over all replicas.
      label_smoothing: the share of each label that is spread over all classes in the loss, of training and validation.
      precision: what the network computes in.
      mean, deviation: of each channel, from 0 to 255: an image is normalised by subtracting the one and dividing by
        the other.
      calibration: the factor by which the logits were multiplied after the training, so that the confidence is right.
    """

    network: str
    optimizer: str
    learning_rate: float
    batch_size: int
    label_smoothing: float
    precision: str
    mean: list[float]
    deviation: list[float]
    calibration: float


@dataclasses.dataclass(frozen=True)
class SampleRows:
    """The rows of SAMPLES_FILE.

    Attributes:
      classes: the class of the image of each row.
      side: of an image, in pixels.
    """

    classes: list[str]
    side: int


@dataclasses.dataclass(frozen=True)
class Budget:
    """The plan of a training for a time.

    Attributes:
      minutes: the setting `trainer.minutes`.
      epochs: planned; 0 where the last layer of a pretrained network is all that is trained.
      steps: an epoch.
      fine_tune: what is trained after the last layer of a pretrained network, as in `trainer.fine_tune`.
    """

    minutes: float
    epochs: int
    steps: int
    fine_tune: str

    def text(self, pretrained: bool) -> str:
        """Return it in a few words, for a screen."""
        minutes = f"{self.minutes:g} {'minute' if self.minutes == 1 else 'minutes'}"
        if not self.epochs:
            return f"in {minutes}: the last layer"
        epochs = f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'} of {self.steps:,} steps"
        return f"in {minutes}: {epochs}" + (f", trained layers: {self.fine_tune}" if pretrained else "")


@dataclasses.dataclass(frozen=True)
class Training:
    """The record of a training.

    Attributes:
      epochs: of every network of an ensemble, one network after the other.
      summary: the network, a line a layer.
      parameters: of the network; None in records before it was stored as a number.
      class_weights: in the training loss, `loss` of each epoch; None if all weigh the same.
      pretrained: the weights it began with; None where they were random.
      budget: its plan for a time, an ensemble's of the first network; None where `trainer.epochs` was the plan.
      setup: how it was trained; None in records of before.
    """

    epochs: list[Epoch]
    summary: str
    parameters: int | None
    class_weights: ClassWeights | None = None
    pretrained: Pretrained | None = None
    budget: Budget | None = None
    setup: Setup | None = None


def read(run: str) -> Training:
    """Read the record in the ModelRun at `run`."""
    epochs = stored.read(list[Epoch], f"{run}/{HISTORY_FILE}")
    summary = files.read_bytes(f"{run}/{SUMMARY_FILE}").decode()
    path = f"{run}/{CLASS_WEIGHTS_FILE}"
    weights = stored.read(ClassWeights, path) if files.exists(path) else None
    path = f"{run}/{BUDGET_FILE}"
    budget = stored.read(Budget, path) if files.exists(path) else None
    path = f"{run}/{SETUP_FILE}"
    setup = stored.read(Setup, path) if files.exists(path) else None
    return Training(epochs, summary, read_parameters(run), weights, read_pretrained(run), budget, setup)


def read_parameters(run: str) -> int | None:
    """Read the number of parameters; see Training."""
    path = f"{run}/{SIZE_FILE}"
    return stored.read(Size, path).parameters if files.exists(path) else None


def read_pretrained(run: str) -> Pretrained | None:
    """Read the weights that the training began with; see Training."""
    path = f"{run}/{PRETRAINED_FILE}"
    return stored.read(Pretrained, path) if files.exists(path) else None


def read_samples(run: str) -> bytes | None:
    """Read the PNG image with samples of the augmentation; None if the record has none."""
    path = f"{run}/{SAMPLES_FILE}"
    return files.read_bytes(path) if files.exists(path) else None


def read_sample_rows(run: str) -> SampleRows | None:
    """Read what the rows of the samples are; None if the record does not say."""
    path = f"{run}/{ROWS_FILE}"
    return stored.read(SampleRows, path) if files.exists(path) else None


def write(run: str, training: Training) -> None:
    """Write the record into the ModelRun at `run`."""
    stored.write([epoch.measured() for epoch in training.epochs], f"{run}/{HISTORY_FILE}")
    files.write(f"{run}/{SUMMARY_FILE}", training.summary)
    if training.parameters is not None:
        stored.write(Size(training.parameters), f"{run}/{SIZE_FILE}")
    if training.class_weights is not None:
        stored.write(training.class_weights, f"{run}/{CLASS_WEIGHTS_FILE}")
    if training.budget is not None:
        stored.write(training.budget, f"{run}/{BUDGET_FILE}")
    if training.setup is not None:
        stored.write(training.setup, f"{run}/{SETUP_FILE}")
    if training.pretrained is not None:
        stored.write(training.pretrained, f"{run}/{PRETRAINED_FILE}")
