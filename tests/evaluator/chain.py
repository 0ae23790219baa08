"""Function components for a chain in miniature: a model is a file, and whether it is blessed is a parameter."""

import os
from pathlib import Path

from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing

from components.contracts import features as f
from tests.evaluator.fakes import save_standin
from tests.evaluator.runs import digit_rows, write_examples


@component
def Train(model: OutputArtifact[Model], recipe: Parameter[str]) -> None:
    os.makedirs(os.path.join(model.uri, "Format-Serving"))
    with open(os.path.join(model.uri, "Format-Serving", "saved_model.pb"), "w") as file:
        file.write(str(recipe))


@component
def Evaluate(
    model: InputArtifact[Model],
    blessing: OutputArtifact[ModelBlessing],
    blessed: Parameter[int],
    baseline_model: InputArtifact[Model] = None,
) -> None:
    """As TFX's Evaluator marks its blessing; the baseline's recipe is kept to be looked at."""
    baseline = "none"
    if baseline_model:
        with open(os.path.join(baseline_model.uri, "Format-Serving", "saved_model.pb")) as file:
            baseline = file.read()
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, blessed)
    blessing.set_string_custom_property("baseline_recipe", baseline)


@component
def Digits(examples: OutputArtifact[Examples]) -> None:
    """Digits as ExampleGen leaves them: the split `test` alone."""
    write_examples(Path(examples.uri), digit_rows())
    examples.split_names = artifact_utils.encode_split_names([f.TEST])


@component
def Standin(model: OutputArtifact[Model], sharpness: Parameter[float]) -> None:
    """A real SavedModel in the place of the Trainer's; how sharp its probabilities are changes no answer."""
    save_standin(model.uri, sharpness=sharpness)
