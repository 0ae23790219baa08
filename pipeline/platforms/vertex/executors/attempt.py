"""What an attempt at a stage begins with: labels for the jobs that it starts, and empty outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from absl import logging
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import fileio

from pipeline.platforms.vertex import labels


def begin(outputs: pipeline_spec_pb2.ExecutorInput.Outputs, beam_args: Sequence[str]) -> list[str]:
    """Put the labels into the environment; return Beam's arguments, with the labels where it runs on Dataflow."""
    own = labels.of_task(outputs.output_file)
    os.environ[labels.VARIABLE] = json.dumps(own)
    for made in outputs.artifacts.values():
        for artifact in made.artifacts:
            if fileio.exists(artifact.uri):
                logging.info("An earlier attempt at this stage left %s: removed", artifact.uri)
                fileio.rmtree(artifact.uri)
    if "--runner=DataflowRunner" not in beam_args:
        return list(beam_args)
    return [*beam_args, *sorted({f"--labels={key}={text}" for key, text in own.items()} - set(beam_args))]
