#!/usr/bin/env python3
"""Make .venv from the lock, with python3, a C++ compiler and a package index. Run by the Makefile; does nothing twice.

usage: python3 tools/bootstrap.py [--tools-only]

1. uv: the one on PATH, else installed into .tools/uv by pip.
2. The lane, which is a version of TFX: 1.21 where its packages can be loaded, else 1.16. LANE=1.16 asks for the older.
3. Python: 3.13 (else 3.12 or 3.11) for TFX 1.21, 3.10 for TFX 1.16; on PATH, in pyenv, else fetched by uv into
   .tools/python. PYTHON=3.12, or the path of a program, asks for another one.
4. .venv: installed from requirements/portable.txt (every file checked against its hash), byte-compiled. ACCELERATOR=gpu
   adds CUDA (requirements/gpu.txt), ACCELERATOR=tpu TensorFlow for TPUs (tpu.txt), ACCELERATOR=cpu takes them away.
"""

import glob
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements" / "portable.txt"
ACCELERATORS = ("cpu", "gpu", "tpu")
# The library that drives a TPU is not on PyPI: its version is pinned, its hash not.
LIBTPU = ("libtpu==2.16.0rc0", "--find-links", "https://storage.googleapis.com/libtpu-tf-releases/index.html")
STAMP = VENV / ".locked"
PYTHONS = {"1.21": ("3.13", "3.12", "3.11"), "1.16": ("3.10",)}  # of each lane, the preferred one first
GLIBC = (2, 39)  # that the packages of TFX 1.21 need


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


def lanes_here():
    """Return the lanes that this machine can run, the newest first, and why not the others."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) == ("Darwin", "arm64"):
        return ["1.21"], "it has no packages for macOS"
    if (system, machine) != ("Linux", "x86_64"):
        stop(f"TFX has no packages for {system} on {machine}; it runs on x86-64 Linux and on macOS with Apple silicon")
    libc, version = platform.libc_ver()
    if libc != "glibc":
        stop("TFX has no packages for this Linux: they need glibc, and it has another C library")
    if tuple(map(int, version.split(".")[:2])) < GLIBC:
        return ["1.16"], f"its packages need glibc {GLIBC[0]}.{GLIBC[1]} or newer, and here is {version}"
    return ["1.21", "1.16"], ""


def choose(before):
    """Return the lane and the Python, a version or a path, that are asked for; else those of .venv, else the newest.

    Args:
      before: the lane and the Python of .venv; empty if there is none.
    """
    lane, python = os.environ.get("LANE", ""), os.environ.get("PYTHON", "")
    here, reason = lanes_here()
    if lane and lane not in PYTHONS:
        stop(f"LANE={lane} is none of {', '.join(PYTHONS)}")
    if python:
        version = python if python in PYTHONS["1.21"] + PYTHONS["1.16"] else version_of(python)
        of_python = [name for name, pythons in PYTHONS.items() if version in pythons]
        if not of_python:
            stop(f"PYTHON={python} is neither a version from 3.10 to 3.13 nor such a Python with its headers")
        if lane and [lane] != of_python:
            stop(f"PYTHON={python} cannot run TFX {lane}, which LANE asks for; leave one of them out")
        lane = of_python[0]
    if not lane and before and before[0] in here:
        return tuple(before)
    if lane and lane not in here:
        stop(f"TFX {lane} cannot run on this machine: {reason}")
    return lane or here[0], python


def choose_accelerator(lane, before):
    """Return the accelerator that is asked for; else that of .venv, `before`, else the CPU."""
    accelerator = os.environ.get("ACCELERATOR") or before or "cpu"
    if accelerator not in ACCELERATORS:
        stop(f"ACCELERATOR={accelerator} is none of {', '.join(ACCELERATORS)}")
    if accelerator == "tpu" and lane != "1.16":
        stop(f"TensorFlow for TPUs ends before that of TFX {lane}; add LANE=1.16")
    return accelerator


def version_of(python):
    """Return the version of a Python, as 3.13, if it has its headers, which Debian packs apart; else ''.

    pyfarmhash is compiled. A pyenv shim exists for versions that are not active, and fails.
    """
    check = (
        "import os, ssl, sqlite3, sys, sysconfig; header = os.path.join(sysconfig.get_path('include'), 'Python.h');"
        "print('%d.%d' % sys.version_info[:2] if os.path.exists(header) else '')"
    )
    try:
        done = subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    except OSError:
        return ""
    return done.stdout.strip()


def find_python(uv, versions):
    """Return the path of the first Python of these versions that is there, else of the first one, which is fetched."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for version in versions:
        candidates = [shutil.which("python" + version)]
        candidates += sorted(glob.glob(os.path.join(pyenv, "versions", version + ".*", "bin", "python")), reverse=True)
        candidates += sorted(glob.glob(str(TOOLS / "python" / "*" / "bin" / ("python" + version))))
        for python in candidates:
            if python and version_of(python) == version:
                return python
    version = versions[0]
    print(f"setup: fetching Python {version} into .tools", flush=True)
    if runs(uv, "python", "install", "--install-dir", str(TOOLS / "python"), version):
        for python in sorted(glob.glob(str(TOOLS / "python" / "*" / "bin" / ("python" + version)))):
            return python
    stop(
        f"no Python {version} with its headers on PATH or in pyenv, and uv could not fetch one; "
        f"install it (for example `pyenv install {version}`) and try again"
    )


def main():
    uv = find_uv()
    if "--tools-only" in sys.argv[1:]:
        print(uv)
        return
    stamp = STAMP.read_text().split("\n") if STAMP.exists() else []
    lane, python = choose(stamp[:2] if len(stamp) in (3, 4) else ())
    accelerator = choose_accelerator(lane, stamp[3] if len(stamp) == 4 else "")
    locks = [LOCK] if accelerator == "cpu" else [LOCK, LOCK.with_name(accelerator + ".txt")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*locks, ROOT / "setup.py"])).hexdigest()
    content = [lane, python, digest] if accelerator == "cpu" else [lane, python, digest, accelerator]
    if stamp == content:
        STAMP.touch()  # the lock's time changed (a fresh checkout), its content did not
        return
    if not any(map(shutil.which, ("g++", "c++", "clang++"))):
        stop("there is no C++ compiler, and one package is published as source alone; install g++ and try again")
    is_path = os.sep in python or shutil.which(python)
    program = python if is_path else find_python(uv, [python] if python else PYTHONS[lane])
    version = version_of(program)
    added = "" if accelerator == "cpu" else f" for a {accelerator.upper()}"
    print(f"setup: installing TFX {lane} for Python {version} into .venv{added} (about a minute, once)", flush=True)
    own = str(VENV / "bin" / "python")
    laid_over = any(VENV.glob("lib/python*/site-packages/tensorflow_tpu*"))  # TensorFlow is not whole without it
    if version_of(own) != version or laid_over:
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", program, str(VENV)], check=True)
    write_stamp([lane, python, "incomplete", accelerator])
    os.utime(STAMP, (0, 0))  # older than the lock: if this is interrupted, make begins again
    into = ["--quiet", "--python", own]
    # Byte-compiled now: where PYTHONDONTWRITEBYTECODE is set, every process would compile TensorFlow and TFX again.
    whole = locks if accelerator == "gpu" else [LOCK]
    subprocess.run([uv, "pip", "sync", *into, "--require-hashes", "--compile-bytecode", *map(str, whole)], check=True)
    if accelerator == "tpu":  # over the plain TensorFlow, whose name others ask for
        lay_over = [uv, "pip", "install", *into, "--no-deps"]
        subprocess.run([*lay_over, "--require-hashes", "--requirement", str(locks[1])], check=True)
        subprocess.run([*lay_over, *LIBTPU], check=True)
    ours = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    subprocess.run([uv, "pip", "install", *into, *ours], check=True)
    write_stamp(content)


def write_stamp(content):
    fresh = STAMP.with_suffix(".new")  # a new file: where .venv is a copy by hard links, the other stamp stays as it is
    fresh.write_text("\n".join(content))
    fresh.replace(STAMP)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        stop(f"`{' '.join(error.cmd[:3])}` failed with exit code {error.returncode}; its message is above")
    except KeyboardInterrupt:
        stop("interrupted; run it again to go on")
