"""`board`: TensorBoard over the training logs of every run."""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

from components import files
from components.contracts.training import TENSORBOARD_DIR
from components.errors import UserError
from pipeline.cli.messages import Messages
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata

LOOK_AGAIN = 20  # seconds; a run that is still training is shown too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("", "the training logs of all runs"), ("--port 7007", "on another port"))
    describe(parser, "Start TensorBoard over the training logs of all runs.", examples, CODES)
    parser.add_argument("--port", type=int, help="default: 6006, or the next free one")
    add_quiet(parser, "the address", "what TensorBoard prints")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Serve TensorBoard to this machine until interrupted; on the first free port from 6006 if none is given."""
    if files.is_remote(artifacts := run_dir.artifacts(config)):
        raise UserError(
            f"the training logs are remote: `tensorboard --logdir {artifacts}/Trainer/model_run` shows them"
        )
    folders = logs(config)
    if not folders:
        raise UserError(f"no training logs in {config.run_dir}; make some with `image-pipeline run`")
    # TensorBoard names runs after folders: one link a run, named as the run is.
    with tempfile.TemporaryDirectory(prefix="board-") as folder:
        _link(folders, Path(folder))
        with Messages.of(args).waiting("loading TensorBoard"):
            url = _launch(folder, args.port)
        trainings = "training" if len(folders) == 1 else "trainings"
        print(f"board     {url} shows {len(folders):,} {trainings} of {config.run_dir}; Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(LOOK_AGAIN)
                _link(logs(config), Path(folder))
        except KeyboardInterrupt:
            return 0


def logs(config: Config) -> dict[str, Path]:
    """Return the folder of the logs of each run that trained; a run whose model came from the cache has none."""
    if not metadata.exists(config):
        return {}
    store = metadata.open_store(config)
    folders = {}
    for artifact in store.get_artifacts_by_type("ModelRun"):
        path = Path(artifact.uri) / TENSORBOARD_DIR
        runs = [context for context in store.get_contexts_by_artifact(artifact.id) if context.type == "pipeline_run"]
        if runs and path.is_dir():
            folders[min(runs, key=lambda context: context.id).name] = path
    return folders


def _link(folders: dict[str, Path], folder: Path) -> None:
    for run_id, path in folders.items():
        link = folder / run_id
        if not link.is_symlink():
            link.symlink_to(path, target_is_directory=True)


def _launch(folder: str, port: int | None) -> str:
    """Return the address of a TensorBoard that serves from a thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard import default, program

        board = program.TensorBoard(plugins=default.get_plugins())
        board.configure(argv=["tensorboard", "--logdir", folder, *([] if port is None else ["--port", str(port)])])
        try:
            return str(board.launch())
        except program.TensorBoardServerException as error:
            raise UserError(f"TensorBoard cannot serve: {' '.join(str(error).split())}") from None
