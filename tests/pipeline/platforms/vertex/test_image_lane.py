"""An image of another lane than the machine that compiled the pipeline is refused before it does any work."""

from __future__ import annotations

from importlib import metadata

import pytest

from components.errors import UserError
from components.trainer.executor import TunerExecutor
from components.versions import COMPILED_WITH, check_image
from pipeline.platforms.vertex.executors import example_gen_driver

MESSAGE = r"^this image has TFX 1\.\d+\.\d+, and the pipeline was compiled with TFX 1\.99\.0: build .* LANE=1\.99`, or"


def test_the_same_version_is_accepted() -> None:
    check_image(metadata.version("tfx"))


def test_the_first_stage_refuses_an_image_of_another_lane() -> None:
    invocation = ["--json_serialized_invocation_args", "{}", "--json_serialized_inputs_spec_args", "{}"]
    with pytest.raises(UserError, match=MESSAGE):
        example_gen_driver.main([*invocation, f"--{COMPILED_WITH}", "1.99.0"])


def test_the_job_of_the_trainer_refuses_an_image_of_another_lane() -> None:
    with pytest.raises(UserError, match=MESSAGE):
        TunerExecutor().Do({}, {}, {"custom_config": f'{{"{COMPILED_WITH}": "1.99.0"}}'})
