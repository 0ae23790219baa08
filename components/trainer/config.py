"""The sections `trainer` and `tuner` of the configuration, and what the Trainer stage is given."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from components.config import RUN_PARAMETER, TUNABLE, Section, first_error, marked
from components.trainer import networks


class Trainer(Section):
    """The network and its training."""

    stage: ClassVar[str] = "Trainer"

    network: str = Field(
        networks.DEFAULT,
        description="The network: airbench (small images, from scratch); for photos, pretrained on ImageNet, "
        "efficientnet_lite0, mobilenet_v3_large, efficientnetv2_b0, convnext_tiny or resnet50 (docs/photos.md); or "
        "FILE.py:FUNCTION, a function of yours that takes the input's shape (height, width, 3) and the number of "
        "classes and returns an uncompiled keras.Sequential (docs/networks.md)",
    )
    strategy: Literal["auto", "cpu", "gpu", "multi_worker", "tpu"] = Field(
        "auto", description="Devices that train; auto: a TPU, else the GPUs, else the CPU"
    )
    tpu: str = Field("", description="Name or grpc:// address of the TPU; found from the environment if empty")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="What the network computes in; auto: bfloat16 where the devices are fast in it"
    )
    epochs: Annotated[int, RUN_PARAMETER, TUNABLE] = Field(10, ge=1, description="Passes over the training split")
    minutes: float = Field(
        0.0,
        ge=0,
        description="Minutes that the Trainer may take: the epochs follow from the measured time of a step, and with "
        "fine_tune auto the layers that are trained; 0: as many epochs as `epochs` says. The networks of an ensemble "
        "share it, and each trial of a search has all of it. Two runs can differ, as the times of their steps do",
    )
    batch_size: Annotated[int, RUN_PARAMETER, TUNABLE] = Field(64, ge=1, description="Images a step, over all replicas")
    per_replica: bool = Field(
        False, description="batch_size and learning_rate are of one replica, and grow with their number"
    )
    learning_rate: Annotated[float, RUN_PARAMETER, TUNABLE] = Field(
        0.08,
        gt=0,
        description="Highest learning rate of the network's optimizer (airbench: Muon, the others: Adam); it falls to "
        "zero in a straight line, with a pretrained network by a cosine after a rise in the first tenth. The default "
        "belongs to the network: airbench 0.08, convnext_tiny 0.0001, the other pretrained ones 0.0003, your own 0.001",
    )
    label_smoothing: Annotated[float, TUNABLE] = Field(
        0.1, ge=0, lt=1, description="Share of each label that is spread over all classes"
    )
    stem_stride: Literal[1, 2] = Field(
        2, description="Pixels between the patches that the network looks at first; 2 is 4 times as fast. Of airbench"
    )
    width: Annotated[int, TUNABLE] = Field(
        32, ge=4, description="Channels of the first convolutions; later ones have twice as many. Of airbench"
    )
    depth: Annotated[int, TUNABLE] = Field(
        2, ge=1, description="Convolutions between two halvings of the image. Of airbench"
    )
    flip: bool = Field(True, description="Augmentation: left-right mirror images, where they are of the same class")
    translate: Annotated[int | float, TUNABLE] = Field(
        2,
        ge=0,
        description="Augmentation: how far, at most, an image is moved in each direction: pixels, or below 1 a share "
        "of its side",
    )
    crop: Annotated[float, TUNABLE] = Field(
        0.0,
        ge=0,
        le=1,
        description="Augmentation: least share of the area of a rectangle that is cut out of each image, of an aspect "
        "ratio of up to 4:3, and enlarged to the image's size; 0 and 1: none",
    )
    rotate: Annotated[float, TUNABLE] = Field(
        0.0, ge=0, le=180, description="Augmentation: degrees, at most, that an image is rotated either way; 0: none"
    )
    jitter: Annotated[float, TUNABLE] = Field(
        0.0,
        ge=0,
        le=1,
        description="Augmentation: brightness, contrast and saturation are each multiplied by 1 plus or minus at most "
        "this; 0: none",
    )
    cutout: Annotated[int | float, TUNABLE] = Field(
        0,
        ge=0,
        description="Augmentation: side of a square that is blanked in each image: pixels, or below 1 a share of the "
        "image's side; 0: none",
    )
    erase: Annotated[float, TUNABLE] = Field(
        0.0,
        ge=0,
        le=1,
        description="Augmentation: probability with which a rectangle of 2% to 33% of an image's area is blanked; "
        "0: none",
    )
    mixup: Annotated[float, TUNABLE] = Field(
        0.0,
        ge=0,
        le=1,
        description="Augmentation: images are blended in pairs, alpha of the Beta distribution of their weights; "
        "0: none",
    )
    cutmix: Annotated[float, TUNABLE] = Field(
        0.0,
        ge=0,
        le=1,
        description="Augmentation: a rectangle of one image is pasted into another, alpha of the Beta distribution "
        "of its area; 0: none",
    )
    class_weights: Literal["none", "balanced", "effective"] = Field(
        "none",
        description="What an image weighs in the training loss. balanced: as much as makes all classes equal; "
        "effective: less than that, by the effective number of images, 1 - 0.999^n of n. The mean weight is 1, and the "
        "validation loss is not weighted",
    )
    weights: str = Field(
        "imagenet",
        description="Weights that a pretrained network begins with: imagenet, none (at random), or the path of a file: "
        "for efficientnet_lite0 one that torch.save wrote, with tensors of the same names; for the others one of "
        "Keras, without the top. Of the pretrained networks",
    )
    fine_tune: Literal["auto", "none", "last", "all"] = Field(
        "auto",
        description="Layers of a pretrained network that are trained after its last one is fitted: none; last: those "
        "that see the image at an eighth of its side or less; all; auto: none below 1,000 training images, then "
        "last. Of the pretrained networks",
    )
    keep: Literal["last", "best"] = Field(
        "last",
        description="Epoch whose weights are the model's: the last, or the one with the highest validation accuracy. "
        "The default belongs to the network: pretrained ones best, the others last",
    )
    patience: int = Field(
        0, ge=0, description="Epochs without a higher validation accuracy after which training ends; 0: it never does"
    )
    ensemble: int = Field(
        1, ge=1, description="Networks trained one after the other; the mean of their logits is the model's"
    )
    test_time_views: Literal[1, 2, 6] = Field(
        1,
        description="Views of an image over which a prediction is the mean, and takes as many times as long. 2: "
        "the image and its mirror image; 6: both of them also moved by a pixel, up left and down right",
    )
    cache_bytes: int = Field(
        1_000_000_000,
        ge=0,
        description="Bytes of decoded images kept in memory; more are streamed from disk every epoch",
    )
    checkpoint_seconds: int = Field(30, ge=0, description="Seconds between two checkpoints, at least")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_network(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**networks.traits(values.get("network", networks.DEFAULT)).defaults, **values}

    @field_validator("network")
    @classmethod
    def _is_known_or_a_function(cls, network: str) -> str:
        networks.check_name(network)
        return network

    @field_validator("translate", "cutout")
    @classmethod
    def _is_in_whole_pixels_or_a_share(cls, length: int | float) -> int | float:
        if 0 < length < 1:
            return length
        if not float(length).is_integer():
            raise ValueError("a length is in whole pixels, or below 1, a share of the image's side")
        return int(length)


class Settings(Trainer):
    """The Trainer stage's custom_config: its section, and values from outside of it."""

    seed: int
    size: int  # pixels; height and width of the model's input, the same as Transform's
    network_code: str = ""  # the source of the user's file, where `network` is a function of theirs
    weights_file: str = ""  # the path of the file of `weights`, where it does not come with a package
    weights_sha256: str = ""  # of that file
    weights_published: bool = False  # that file is the one that `Traits.pretraining` describes
    checkpoints: str = ""  # folder in which an unfinished training is kept; none is kept where empty


class Tuner(Section):
    """The search for better hyperparameters before training."""

    stage: ClassVar[str] = "Tuner"

    trials: int = Field(0, ge=0, description="Trainings; 0: no search")
    space: dict[str, tuple[float, float]] = Field(
        default_factory=lambda: default_space(networks.DEFAULT),
        description="Both ends of the range in which each setting of `trainer` is searched; the default range of "
        "the learning rate belongs to the network",
    )

    @field_validator("space")
    @classmethod
    def _is_of_the_trainer(cls, space: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        tunable = list(marked(Trainer, TUNABLE))
        for name, ends in space.items():
            if name not in tunable:
                raise ValueError(f"cannot tune {name!r}; tunable settings: {', '.join(tunable)}")
            low_is_whole, high_is_whole = (is_whole(name, end) for end in ends)
            if ends[0] >= ends[1]:
                raise ValueError(f"{name}: write it as [low, high], not {list(ends)}")
            if high_is_whole and not low_is_whole:
                raise ValueError(f"{name}: both ends of {list(ends)} must be pixels, or both shares of the side")
        return space

    @model_validator(mode="after")
    def _has_something_to_search(self) -> Tuner:
        if self.trials and not self.space:
            raise ValueError("tuner.trials needs a range in tuner.space, for example learning_rate: [0.02, 0.4]")
        return self


def is_whole(name: str, value: float) -> bool:
    """Return True if a value of the setting `name` is a whole number.

    Raises:
      ValueError: it is none of the setting's values.
    """
    try:
        return isinstance(getattr(Trainer.model_validate({name: value}), name), int)
    except ValidationError as error:
        raise ValueError(f"{name} = {value:g}: {first_error(error)}") from None


def default_space(network: str) -> dict[str, tuple[float, float]]:
    """Return the ranges that the Tuner searches by default."""
    return {"learning_rate": networks.traits(network).learning_rates, "label_smoothing": (0.05, 0.3)}
