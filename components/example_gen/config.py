"""The section `data` of the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from components.config import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Splits(Section):
    """Shares of the images where the source gives no splits."""

    train: Annotated[Share, Field(description="Share of the images that is trained on")] = 0.8
    validation: Annotated[
        Share, Field(description="Share that is watched while training; it is taken out of a given `train`")
    ] = 0.1
    test: Annotated[Share, Field(description="Share that the model is evaluated on")] = 0.1

    @model_validator(mode="after")
    def _sum_to_one(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the three shares must add up to 1, not {total:g}")
        return self


class Features(Section):
    """Names of the features of TFRecords or columns of Parquet; where they are empty, the usual ones are tried."""

    image: Annotated[
        str, Field(description="The feature that holds an encoded image, or its pixels beside height, width and depth")
    ] = ""
    label: Annotated[str, Field(description="The feature that holds the class: text or a whole number")] = ""


class Data(Section):
    """The source of the labelled images, and which of them are used."""

    stage: ClassVar[str] = "ExampleGen"

    source: Annotated[str, Field(description="digits, cifar10, or a path; docs/data.md lists what is read")] = "digits"
    splits: Splits = Splits()
    features: Features = Features()
    max_bytes: Annotated[int, Field(gt=0, description="Bytes of an encoded image; larger ones are rejected")] = (
        20_000_000
    )
    max_pixels: Annotated[
        int, Field(gt=0, description="Pixels of a decoded image, height x width; larger ones are rejected")
    ] = 50_000_000
    cache_dir: Annotated[str, Field(description="Folder in which downloads are kept")] = (
        "~/.cache/image-classification-pipeline"
    )
