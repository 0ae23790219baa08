"""The Python API: `import image_pipeline as ip`, then `ip.run("photos/")`.

Importing it loads nothing but the standard library: TensorFlow, TFX and pandas are loaded by the calls that need them.
The names in `__all__` and their public attributes stay as they are, or CHANGELOG.md says how they change. Where a
message names an option of the command line, as `--run-dir`, the argument has the same name, `run_dir`; `--from` and
`--to` are `first` and `last`, and `--set a.b=c` is `settings={"a.b": c}`.
"""

from components.errors import Damaged, GateRefused, UserError
from image_pipeline.boundary import remote
from image_pipeline.calls import compare, config, find_run, load, run, runs
from image_pipeline.finished_run import Run, RunFailed
from image_pipeline.gallery import Gallery, Item
from image_pipeline.served_model import Model
from image_pipeline.two_runs import Comparison

__all__ = [
    "Comparison",
    "Damaged",
    "Gallery",
    "GateRefused",
    "Item",
    "Model",
    "Run",
    "RunFailed",
    "UserError",
    "compare",
    "config",
    "find_run",
    "load",
    "remote",
    "run",
    "runs",
]
