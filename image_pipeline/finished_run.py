"""A run of the pipeline that has ended, and what can be asked of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from components.errors import OfARun, UserError

if TYPE_CHECKING:
    import keras
    import pandas as pd
    import tensorflow as tf
    from PIL import Image

    from components.contracts.run_result import Result
    from image_pipeline.findings import Findings
    from image_pipeline.gallery import Gallery
    from pipeline.config import Config


class RunFailed(OfARun, RuntimeError):  # noqa: N818 (how a run ended)
    """A stage of a run failed. The message says why and names the log; `run` is the Run."""


class Run:
    """A run that has ended, as `run` and `find_run` return it.

    In a notebook it is shown as its verdict, its metrics with their intervals, what the gate found, and its report.
    """

    def __init__(self, config: Config, result: Result) -> None:
        from image_pipeline.run_artifacts import RunArtifacts

        self._config, self._result = config, result
        self._made = RunArtifacts(config, result)

    # ------------------------------------------------------------------------------------------------ how it ended
    @property
    def id(self) -> str:
        """Return the id of the run."""
        return self._result.run_id

    @property
    def state(self) -> str:
        """Return how it ended: `pushed`, `refused`, `failed`, `interrupted`, or `partial` (before Pusher, as asked)."""
        from components.contracts import run_result

        return run_result.state(self._result)

    @property
    def why(self) -> list[str]:
        """Return why it was refused or failed, a sentence each; empty if it was not."""
        return list(self._result.why)

    @property
    def pushed(self) -> dict[str, str] | None:
        """Return the `version` and the `path` of the pushed model; None if none was pushed."""
        return self._result.pushed

    @property
    def findings(self) -> Findings:
        """Return what the gate found in the data, warnings too: a list of findings, with `frame`, a row an image."""
        from image_pipeline.findings import Findings

        return Findings(self._result.findings, os.path.dirname(self._result.log))

    @property
    def result(self) -> dict[str, Any]:
        """Return the whole result, as `image-pipeline run --json` prints it."""
        return self._result.to_json()

    @property
    def config(self) -> dict[str, Any]:
        """Return the settings of the run by their dotted keys."""
        from pipeline.config import flatten

        return flatten(self._config.model_dump(mode="json"))

    @property
    def report(self) -> str | None:
        """Return the path of the report, one HTML file; None where it could not be made."""
        return self._result.report

    @property
    def log(self) -> str:
        """Return the path of the log, which has what the libraries printed."""
        return self._result.log

    # ------------------------------------------------------------------------------------------------ the data
    @property
    def classes(self) -> pd.DataFrame:
        """Return a row a class: its images in each split, and how well the model knows it.

        Returns:
          The index is the class. `train`, `validation`, `test`: images, int64. Where the model was evaluated, also
          `recall`, `recall_low` and `recall_high` (its interval), `precision` and `f1`: float64 in [0, 1], NaN where
          there is no image to measure on.
        """
        from components.contracts import counts
        from image_pipeline import frames

        return frames.classes(counts.read(self._made.folder("ExampleGen", "examples")), self._result.metrics)

    def images(self, split: str = "train", n: int = 12) -> Gallery:
        """Return images of a split, as ExampleGen stored them, as many of each class.

        Args:
          split: `train`, `validation` or `test`.
          n: how many, at most.
        """
        from image_pipeline import gallery

        self._check_split(split)
        return gallery.of_split(self._made.folder("ExampleGen", "examples"), split, n)

    def dataset(self, split: str = "train") -> tf.data.Dataset:
        """Return the batches of a split, exactly as the Trainer saw them.

        Args:
          split: `train`, `validation` or `test`; the Trainer reads the first two.

        Returns:
          Of `train` all batches of all epochs, shuffled and augmented: images, float32 [N, S, S, 3], normalised, and
          labels, float32 [N, classes], one-hot or mixed as the settings say. Of the others each image once: images,
          labels, and weights, float32 [N], which are 0 for what fills up the last batch; so for `train` too where the
          last layer of a pretrained network alone was fitted.
        """
        self._check_split(split)
        parts = self._made.folder("ExampleGen", "examples"), self._made.folder("Transform", "transform_graph")
        record = self._made.folder("Trainer", "model_run")
        with self._made.silent():
            from image_pipeline import training_data

            return training_data.dataset(self._made.stages, *parts, record, split)

    @property
    def augmentation(self) -> Image.Image:
        """Return one image with up to eight rows: a training image of a class, then variations of it."""
        import io

        from PIL import Image

        from components.contracts import training

        png = training.read_samples(self._made.folder("Trainer", "model_run"))
        if png is None:
            raise UserError(f"run {self.id} has no samples of the augmentation: an earlier version made it")
        return Image.open(io.BytesIO(png))

    # ------------------------------------------------------------------------------------------------ the training
    @property
    def history(self) -> pd.DataFrame:
        """Return a row an epoch, which is the index; 0 is the last layer of a pretrained network, fitted first.

        The columns are `loss` and `accuracy` of the training images as augmented, `val_loss` and `val_accuracy`,
        `learning_rate`, `seconds`, `images_per_second` and `waiting`, the share of the time in which the training
        waited for data; `network` of an ensemble, from 1; `kept` where weights of an epoch before the last were kept.
        An interrupted training has the epochs that it had.
        """
        from image_pipeline import frames

        return frames.history(self._result.epochs or [epoch.measured() for epoch in self._made.training.epochs])

    @property
    def summary(self) -> str:
        """Return the layers of the network as a table, in text."""
        return self._made.training.summary

    @property
    def model(self) -> keras.Model:
        """Return the trained network, from normalised images, float32 [N, S, S, 3], to logits, float32 [N, classes].

        `dataset` has images as it takes them; `predict` takes images as they are. Its file is `model_file`.
        """
        path = self.model_file
        with self._made.silent():
            import keras

            from components.trainer import networks
            from image_pipeline import training_data

            networks.find(training_data.settings_of(self._made.stages))  # registers its own layers, the user's too
            return keras.saving.load_model(path)

    @property
    def model_file(self) -> str:
        """Return the path of the network's `.keras` file, for `keras.saving.load_model`.

        A process that loads it imports `components.trainer.layers` first, which registers the project's own layers.
        """
        from components.contracts import training

        return f"{self._made.folder('Trainer', 'model_run')}/{training.MODEL_FILE}"

    # ------------------------------------------------------------------------------------------------ the test
    @property
    def metrics(self) -> pd.DataFrame:
        """Return a row a metric of the test split.

        Returns:
          The index is the metric, as `accuracy`. `value`, and `low` and `high`, its interval, NaN where it has none;
          `baseline`, the value of the latest blessed model before, NaN where there was none. float64.

        Raises:
          UserError: the model was not evaluated.
        """
        from image_pipeline import frames

        return frames.metrics(self._made.measured)

    @property
    def confusion(self) -> pd.DataFrame:
        """Return how often each class was predicted as each: rows are labels, columns are predicted classes, int64."""
        from image_pipeline import frames

        return frames.confusion(self._made.evaluation)

    @property
    def calibration(self) -> pd.DataFrame:
        """Return a row a bin of the confidence: `low`, `high`, `images`, and their mean `confidence` and `accuracy`."""
        from image_pipeline import frames

        return frames.calibration(self._made.evaluation.calibration)

    def mistakes(self, n: int = 12) -> Gallery:
        """Return the test images that the model predicts wrongly, the most confident first.

        Args:
          n: how many, at most.
        """
        from image_pipeline import gallery

        names = [row["name"] for row in self._made.measured["classes"]]
        return gallery.of_mistakes(self._made.folder("ExampleGen", "examples"), self._made.predictions, names, n)

    def predict(self, x: Any) -> pd.DataFrame:
        """Return the class of each image, and the probabilities of all classes, by the model of this run.

        It answers also where it was refused and is not served. What `x` may be, and what is returned: `Model.predict`.
        """
        return self._made.model.predict(x)

    def _check_split(self, split: str) -> None:
        from components.contracts import features
        from components.text import did_you_mean

        if split not in features.SPLITS:
            raise UserError(f"unknown split {split!r}; {did_you_mean(split, features.SPLITS)}")

    def __repr__(self) -> str:
        import io

        from pipeline.runs import summary

        text = io.StringIO()
        print(f"run       {self.id} of {self._result.name}, data {self._result.source}", file=text)
        summary.show(self._result, text)
        return "\n".join(line for line in text.getvalue().splitlines() if line.strip())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from image_pipeline import page, run_page

        return page.bundle(repr(self), run_page.of(self._result))
