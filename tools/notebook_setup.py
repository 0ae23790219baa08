"""Make .venv if it is missing: the first cell of the notebooks runs this in their kernel, on Colab and elsewhere.

It needs no package. On Colab it installs TFX 1.16 with Python 3.10, beside the Python of the kernel, which is too new
for it; with what TensorFlow needs for a GPU or a TPU, where there is one. A .venv that is there stays as it is.
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def prepare() -> None:
    """Make .venv, and let this process import the package from the clone.

    Raises:
      RuntimeError: .venv could not be made; what was printed before says why.
    """
    os.chdir(ROOT)
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    environment = dict(os.environ)
    if not (VENV / ".locked").exists():
        found = environment.setdefault("ACCELERATOR", accelerator())
        environment |= {"LANE": "1.16"} if found == "tpu" else {}
    environment.pop("PYTHONPATH", None)  # the packages of the kernel's Python are not for another one
    command = [sys.executable, "tools/bootstrap.py"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    for line in process.stdout:  # a child's own output would not reach the cell
        print(line, end="", flush=True)
    if process.wait():
        raise RuntimeError("the environment could not be made: see the lines above")
    os.environ.update(libraries(VENV))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own lines, as `make` has it


def accelerator() -> str:
    """Return what this machine has: tpu, gpu or cpu."""
    if glob.glob("/dev/accel*") or glob.glob("/dev/vfio/[0-9]*"):
        return "tpu"
    return "gpu" if glob.glob("/dev/nvidia[0-9]*") else "cpu"


def libraries(venv: Path) -> dict[str, str]:
    """Return the variables with which a process of `venv` finds CUDA and libtpu, where they are installed.

    They must be set before the process starts: the loader looks at them then alone.
    """
    found = {}
    if cuda := sorted(map(str, venv.glob("lib/python3*/site-packages/nvidia/*/lib"))):
        before = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        found["LD_LIBRARY_PATH"] = os.pathsep.join([*cuda, *(path for path in before if path and path not in cuda)])
    if tpu := sorted(map(str, venv.glob("lib/python3*/site-packages/libtpu/libtpu.so"))):
        found["TPU_LIBRARY_PATH"] = tpu[0]
    return found


if __name__ == "__main__":
    prepare()
