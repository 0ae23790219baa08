"""`vertex endpoint`, `promote` and `rollback`: what serves, before and after."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import Config
from pipeline.platforms.vertex.cloud import CONSOLE, FAILED, CloudFault, connect, explain
from pipeline.platforms.vertex.serving import Serving, State
from pipeline.tables import print_table


def show(config: Config) -> int:
    """Print the endpoint and the versions of the model.

    Raises:
      CloudFault: Vertex AI does not answer.
    """
    return _change(config, None)


def promote(config: Config, keep: bool) -> int:
    """Make the candidate the champion; the former one stays deployed without traffic if `keep` is set.

    Raises:
      UserError: there is no endpoint or no candidate.
      CloudFault: Vertex AI does not answer.
    """
    return _change(config, lambda serving, state: serving.promote(state, keep))


def rollback(config: Config, version: str | None) -> int:
    """Have the version before serve, or the version of the Model Registry that is named.

    Raises:
      UserError: there is no endpoint, or nothing to go back to.
      CloudFault: Vertex AI does not answer.
    """
    return _change(config, lambda serving, state: serving.rollback(state, version))


def _change(config: Config, change: Callable[[Serving, State], None] | None) -> int:
    serving = Serving(connect(config.vertex), config.vertex, config.name)
    try:
        state = serving.look()
        _show("endpoint" if change is None else "before", state, config)
        if change:
            change(serving, state)
            _show("after", serving.look(), config)
    except FAILED as error:
        again = "" if change is None else "; the same command, given again, does what is missing"
        raise CloudFault(f"the endpoint of {config.name}: {explain(error)}{again}") from None
    return 0


def _show(title: str, state: State, config: Config) -> None:
    where = f"{config.name} has no endpoint in {config.vertex.region}"
    if state.endpoint:
        _, project, _, region, _, number = state.endpoint.name.split("/")
        where = f"{CONSOLE}/vertex-ai/online-prediction/locations/{region}/endpoints/{number}?project={project}"
    print(f"{title:<9} {where}")
    print_table(state.rows(), right=(1,))
