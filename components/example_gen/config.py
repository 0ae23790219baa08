"""The section `data` of the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from components.config import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Splits(Section):
    """Shares of the images where the source gives no splits."""

    train: Share = Field(0.8, description="Share of the images that is trained on")
    validation: Share = Field(
        0.1, description="Share that is watched while training; it is taken out of a given `train`"
    )
    test: Share = Field(0.1, description="Share that the model is evaluated on")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the three shares must add up to 1, not {total:g}")
        return self


class Features(Section):
    """Names of the features of TFRecords or columns of Parquet and tables; if empty, the usual ones are tried."""

    image: str = Field(
        "",
        description="The feature that holds an encoded image, its pixels beside height, width and depth, or the path "
        "of its file",
    )
    label: str = Field("", description="The feature that holds the class: text or a whole number")


class Data(Section):
    """The source of the labelled images, and which of them are used."""

    stage: ClassVar[str] = "ExampleGen"

    source: str = Field("digits", description="digits, cifar10, tfds:NAME, a path or a URL; docs/data.md lists all")
    splits: Splits = Splits()
    features: Features = Features()
    max_bytes: int = Field(20_000_000, gt=0, description="Bytes of an encoded image; larger ones are rejected")
    max_pixels: int = Field(
        50_000_000, gt=0, description="Pixels of a decoded image, height x width; larger ones are rejected"
    )
    max_side: int | None = Field(
        1024,
        ge=8,
        description="Pixels of the longer side to which larger images are reduced before they are stored; null stores "
        "every image at its size",
    )
    cache_dir: str = Field("~/.cache/image-classification-pipeline", description="Folder in which downloads are kept")
