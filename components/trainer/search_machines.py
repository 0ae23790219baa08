"""A search on several machines: the first chooses the trials and trains too, the others ask it for theirs.

It is KerasTuner's own protocol. Its chief would be a process that trains nothing, and would leave a machine that comes
late waiting for it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.trial import Trial, TrialStatus

_LOOK_AGAIN = 0.2  # seconds
_GRACE = 10.0  # seconds in which the last answers arrive


@dataclass(frozen=True)
class Machines:
    """The machines that search together.

    Attributes:
      address: of the first, HOST:PORT.
      count: how many they are.
      number: of this one, from 0.
    """

    address: str
    count: int
    number: int


def of_environment() -> Machines | None:
    """Return the machines that TF_CONFIG names, as Vertex AI sets it, and forget it; None if this one is alone.

    Each machine trains by itself, and TensorFlow would look for the others.
    """
    described: dict[str, Any] = json.loads(os.environ.get("TF_CONFIG") or "{}")
    cluster: dict[str, list[str]] = described.get("cluster", {})
    places = [(role, index) for role in sorted(cluster) for index in range(len(cluster[role]))]  # the chief first
    if len(places) < 2:
        return None
    del os.environ["TF_CONFIG"]
    task, (first, _) = described["task"], places[0]
    return Machines(cluster[first][0], len(places), places.index((task["type"], int(task["index"]))))


def join(machines: Machines) -> None:
    """Let the next Tuner of KerasTuner in this process ask the first machine."""
    host, _, port = machines.address.rpartition(":")
    os.environ |= {
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
        "KERASTUNER_TUNER_ID": f"machine-{machines.number}",
    }


@contextmanager
def answering(oracle: keras_tuner.Oracle, machines: Machines) -> Iterator[None]:
    """Answer the other machines inside the block, and after it until each has been answered that no trial is left."""
    server, choices = grpc.server(futures.ThreadPoolExecutor(1)), _Choices(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(choices, server)
    server.add_insecure_port(f"[::]:{machines.address.rpartition(':')[2]}")
    server.start()
    try:
        yield
        while len(choices.finished) < machines.count - 1:
            time.sleep(_LOOK_AGAIN)
    finally:
        server.stop(_GRACE).wait()


class _Choices(OracleServicer):
    """KerasTuner's answers to the other machines; notes which of them have nothing left to do."""

    def __init__(self, oracle: keras_tuner.Oracle) -> None:
        super().__init__(oracle)
        self.finished: set[str] = set()

    def CreateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = super().CreateTrial(request, context)
        if Trial.from_proto(answer.trial).status == TrialStatus.STOPPED:
            self.finished.add(request.tuner_id)
        return answer
