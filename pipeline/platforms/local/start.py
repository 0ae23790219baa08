"""Start a run on this machine, as the command line and the Python API both do."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TextIO

from components.errors import UserError
from pipeline import ALL_STAGES
from pipeline.config import Config
from pipeline.first_look import Choice

if TYPE_CHECKING:
    from components.contracts.run_result import Result


def start(
    load: Callable[[], tuple[Config, Choice]],
    first: str | None,
    last: str | None,
    out: TextIO,
    verbose: bool = False,
) -> tuple[Config, Result]:
    """Run the chain, or its stages from `first` to `last`; return its configuration and its result.

    Args:
      load: the configuration, and how its preset was chosen; called again after a download of the data, which can be
        looked at then.
      first, last: names of stages, or None.
      out: where the progress is shown.
      verbose: whether what the libraries log is shown there too.

    Raises:
      UserError: a mistake that shows before the first stage starts.
    """
    if first and last and ALL_STAGES.index(first) > ALL_STAGES.index(last):
        raise UserError(f"the first stage, {first}, comes after the last, {last}, in the chain")
    from pipeline.platforms.local import runner

    config, choice = load()
    notes = None
    if choice.fetch:
        notes = _fetch(config, out)
        config, choice = load()
    if choice.reason:
        print(f"preset    {choice.preset}: {choice.reason}", file=out, flush=True)
    return config, runner.run(config, first, last, out, notes, verbose)


def _fetch(config: Config, out: TextIO) -> list[str]:
    """Download the data; return what the user should know of it."""
    from components.example_gen import sources
    from pipeline.output import duplicated_stream, redirect_output
    from pipeline.platforms import stage_table
    from pipeline.platforms.local import signals

    source = sources.locate(config.data.source, config.data.cache_dir)
    with (
        signals.raised(),
        duplicated_stream(out) as terminal,
        stage_table.make((), terminal) as screen,
        redirect_output(os.devnull),
    ):
        return sources.fetch(source, partial(screen.transfer, f"downloading {source.pattern}"))
