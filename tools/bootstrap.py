#!/usr/bin/env python3
"""Make .venv from the lock, with python3, a C++ compiler and a package index. Run by the Makefile; does nothing twice.

usage: python3 tools/bootstrap.py [--tools-only]

1. uv: the one on PATH, else installed into .tools/uv by pip.
2. Python 3.10: on PATH, in pyenv, else fetched by uv into .tools/python.
3. .venv: installed from requirements/portable.txt (every file checked against its hash), byte-compiled.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements" / "portable.txt"
STAMP = VENV / ".locked"
PYTHON = "3.10"


def stop(line):
    sys.exit("setup: " + line)


def runs(*command):
    """Return True if the command exists and succeeds."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def find_uv():
    own = TOOLS / "uv" / "bin" / "uv"
    for uv in (shutil.which("uv"), str(own)):
        if uv and runs(uv, "--version"):
            return uv
    print("setup: installing uv into .tools", file=sys.stderr)  # what --tools-only prints is the path alone
    pip = [sys.executable, "-m", "pip"]
    if not runs(*pip, "--version"):  # Debian ships python3 without pip; a virtual environment may still have it
        if not runs(sys.executable, "-m", "venv", str(TOOLS / "pip")):
            stop("this python3 has neither pip nor venv; install one of python3-pip, python3-venv or uv and try again")
        pip = [str(TOOLS / "pip" / "bin" / "python"), "-m", "pip"]
    options = ["--quiet", "--disable-pip-version-check", "--upgrade", "--target", str(TOOLS / "uv")]
    quiet = dict(os.environ, PIP_ROOT_USER_ACTION="ignore")
    process = subprocess.run([*pip, "install", *options, "uv<1"], env=quiet, stderr=subprocess.PIPE, text=True)
    if process.returncode:
        last_line = (process.stderr.strip().splitlines() or ["no message"])[-1]
        stop(f"pip could not install uv: {last_line}. Install uv yourself (it may be on PATH) and try again")
    return str(own)


def find_python(uv):
    candidates = [shutil.which("python" + PYTHON)]
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates += sorted(glob.glob(os.path.join(pyenv, "versions", PYTHON + "*", "bin", "python")), reverse=True)
    candidates += sorted(glob.glob(str(TOOLS / "python" / "*" / "bin" / ("python" + PYTHON))))
    check = (  # with its headers, which Debian packs apart: pyfarmhash is compiled
        "import os, ssl, sqlite3, sys, sysconfig; header = os.path.join(sysconfig.get_path('include'), 'Python.h');"
        "sys.exit(sys.version_info[:2] != (3, 10) or not os.path.exists(header))"
    )
    for python in candidates:
        if python and runs(python, "-c", check):  # a pyenv shim exists for versions that are not active, and fails
            return python
    print(f"setup: fetching Python {PYTHON} into .tools", flush=True)
    if runs(uv, "python", "install", "--install-dir", str(TOOLS / "python"), PYTHON):
        for python in sorted(glob.glob(str(TOOLS / "python" / "*" / "bin" / ("python" + PYTHON)))):
            return python
    stop(
        f"no Python {PYTHON} with its headers on PATH or in pyenv, and uv could not fetch one; "
        f"install it (for example `pyenv install {PYTHON}`) and try again"
    )


def main():
    uv = find_uv()
    if "--tools-only" in sys.argv[1:]:
        print(uv)
        return
    digest = hashlib.sha256(LOCK.read_bytes() + (ROOT / "setup.py").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        STAMP.touch()  # the lock's time changed (a fresh checkout), its content did not
        return
    if not any(map(shutil.which, ("g++", "c++", "clang++"))):
        stop("there is no C++ compiler, and one package is published as source alone; install g++ and try again")
    python = find_python(uv)
    print("setup: installing the locked packages into .venv (about a minute, once)", flush=True)
    if not (VENV / "bin" / "python").exists():
        subprocess.run([uv, "venv", "--quiet", "--python", python, str(VENV)], check=True)
    into = ["--quiet", "--python", str(VENV / "bin" / "python")]
    # Byte-compiled now: where PYTHONDONTWRITEBYTECODE is set, every process would compile TensorFlow and TFX again.
    subprocess.run([uv, "pip", "sync", *into, "--require-hashes", "--compile-bytecode", str(LOCK)], check=True)
    ours = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    subprocess.run([uv, "pip", "install", *into, *ours], check=True)
    STAMP.write_text(digest)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        stop(f"`{' '.join(error.cmd[:3])}` failed with exit code {error.returncode}; its message is above")
    except KeyboardInterrupt:
        stop("interrupted; run it again to go on")
