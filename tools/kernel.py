"""Make .tools/kernel: a Jupyter kernel whose Python is not that of .venv, as a user's own is not. Does nothing twice.

A notebook that runs there calls the pipeline across a process boundary: `image_pipeline.remote`. It is installed from
requirements/kernel.txt, every file checked against its hash.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bootstrap

KERNEL = bootstrap.TOOLS / "kernel"
LOCK = bootstrap.LOCK.with_name("kernel.txt")
PYTHON = KERNEL / "bin" / "python"
STAMP = KERNEL / ".locked"


def make() -> Path:
    """Return the program of the kernel's Python; it is made if it is missing, of other packages, or of .venv's Python.

    Raises:
      SystemExit: there is no other Python and none could be fetched.
      subprocess.CalledProcessError: a package could not be installed; uv has said why.
    """
    own = bootstrap.version_of(sys.executable)
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest and bootstrap.version_of(str(PYTHON)) not in ("", own):
        return PYTHON
    uv = bootstrap.find_uv()
    others = [version for version in bootstrap.PYTHONS["1.21"] if version != own]
    program = bootstrap.find_python(uv, others)
    version = bootstrap.version_of(program)
    print(f"setup: installing the kernel of the notebooks for Python {version} into .tools/kernel", flush=True)
    if not PYTHON.exists() or bootstrap.version_of(str(PYTHON)) != version:
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", program, str(KERNEL)], check=True)
    options = ["--quiet", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode"]
    subprocess.run([uv, "pip", "sync", *options, str(LOCK)], check=True)
    STAMP.write_text(digest)
    return PYTHON
