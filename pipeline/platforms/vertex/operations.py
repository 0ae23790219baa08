"""Long-running operations of Vertex AI: an upload, a deployment.

They are followed by requests of our own, because the REST transport of google-cloud-aiplatform asks for an operation at
`/ui/projects/…`, an address that is not in the reference of the API.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from google.api_core import exceptions

from pipeline.platforms.vertex import cloud as clouds
from pipeline.platforms.vertex.cloud import LOST, Cloud

ATTEMPTS = 3  # at an operation whose answer is lost
PACE = 10.0  # seconds between two looks


def carry_out(cloud: Cloud, start: Callable[[], Any], done: Callable[[], bool]) -> None:
    """Start an operation and wait for its end; one whose answer is lost is not started twice.

    Args:
      cloud: the project and region.
      start: sends the request and returns google.api_core's Operation.
      done: whether it was carried out, which is asked before it is started again; waits for what still runs.

    Raises:
      google.api_core.exceptions.GoogleAPICallError: Vertex AI refuses, or does not answer.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            started = start().operation
            answer = {"name": started.name}
            while not answer.get("done"):
                answer = _ask(cloud, started.name)
                if not answer.get("done"):
                    time.sleep(PACE)
            if error := answer.get("error"):
                raise exceptions.from_grpc_status(error["code"], error.get("message", ""))
            return
        except LOST as error:
            if attempt == ATTEMPTS:
                raise
            clouds.say(error)
        if done():
            return


def wait_for_all(cloud: Cloud, name: str) -> None:
    """Wait until no operation on a resource runs, for example one of a command that was stopped.

    Args:
      cloud: the project and region.
      name: of the resource.
    """
    while _is_busy(cloud, name):
        print(f"          an operation on {name} still runs; waiting", flush=True)
        time.sleep(PACE)


def _is_busy(cloud: Cloud, name: str) -> bool:
    token = ""
    while True:
        page = _ask(cloud, f"{name}/operations?pageToken={token}")
        if not all(one.get("done") for one in page.get("operations", [])):
            return True
        token = page.get("nextPageToken", "")
        if not token:
            return False


def _ask(cloud: Cloud, path: str) -> dict[str, Any]:
    return cloud.ask("aiplatform", f"v1/{path}", deadline=clouds.RETRY_DEADLINE)
