"""A run of the pipeline that has ended, and what can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.errors import OfARun

if TYPE_CHECKING:
    from components.contracts.run_result import Result
    from pipeline.config import Config


class RunFailed(OfARun, RuntimeError):  # noqa: N818 (how a run ended)
    """A stage of a run failed. The message says why and names the log; `run` is the Run."""


class Run:
    """A run that has ended, as `run` and `find_run` return it."""

    def __init__(self, config: Config, result: Result) -> None:
        self.result = result
        self._config = config

    @property
    def id(self) -> str:
        """Return the id of the run."""
        return self.result.run_id

    @property
    def state(self) -> str:
        """Return `pushed`, `refused`, `failed`, `interrupted` or `partial`."""
        from components.contracts import run_result

        return run_result.state(self.result)
