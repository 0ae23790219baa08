"""The baseline: the earlier model that a candidate is compared with."""

from __future__ import annotations

import os

import ml_metadata as mlmd
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact
from tfx.utils import path_utils

from components.contracts.model import SAVED_MODEL_FILE


class LatestOtherBlessedModelStrategy(ResolverStrategy):
    """Resolves to the latest blessed model that is not the candidate and whose files exist.

    TFX's LatestBlessedModelStrategy would resolve the candidate itself once it is blessed: a second, identical run
    would run the Evaluator again and compare the model with itself.

    Inputs: `candidate` (the Model to be compared), `model` and `model_blessing` (all Model and ModelBlessing
    artifacts of the pipeline). Outputs of the same names: `model` and `model_blessing` hold one artifact
    each, or none where there is no baseline; `candidate` is passed on.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        candidates = {model.id for model in input_dict["candidate"]}
        models = {model.id: model for model in input_dict["model"] if model.id not in candidates}
        result: dict[str, list[Artifact]] = {
            "candidate": input_dict["candidate"],
            "model": [],
            "model_blessing": [],
        }
        # By the blessing, not by the model: a model that is blessed again after another is the latest again.
        for blessing in sorted(input_dict["model_blessing"], key=lambda a: a.id, reverse=True):
            model = models.get(blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY))
            blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            if blessed == constants.BLESSED_VALUE and model is not None and _has_files(model):
                result.update(model=[model], model_blessing=[blessing])
                break
        return result


def _has_files(model: Artifact) -> bool:
    exported = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    return bool(fileio.exists(os.path.join(exported, SAVED_MODEL_FILE)))
