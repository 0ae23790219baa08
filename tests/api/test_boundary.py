"""The calls across the boundary, in a real worker process: proxies, what is printed, interrupts, deaths, ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import image_pipeline as ip
from components.errors import Stopped
from image_pipeline.boundary.connection import WorkerEnded
from pipeline import ROOT
from tests.api import boundary_api

pytestmark = pytest.mark.slow

BARE = str(Path(sys.executable).resolve())  # a Python without the packages


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A worker with the objects of boundary_api, for tests that leave it alive."""
    with pytest.MonkeyPatch.context() as patch:
        yield from _remote(tmp_path_factory.mktemp("worker"), patch)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A worker of a test's own, which may end it."""
    yield from _remote(tmp_path, monkeypatch)


def _remote(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    with _start(folder, patch) as made:
        yield made


def _start(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    for name in boundary_api.NAMES:
        patch.setattr(ip, name, getattr(boundary_api, name), raising=False)
    patch.setattr(ip, "__all__", [*ip.__all__, *boundary_api.NAMES])
    return ip.remote(boundary_api.program(folder))


def test_an_object_of_the_worker_is_used_as_if_it_were_here(shared: Any) -> None:
    things = shared.shelf(1, "two", [3])
    assert repr(things) == str(things) == "Shelf(1, 'two', [3])"
    assert (len(things), bool(things), things[1], "two" in things, 4 in things) == (3, True, "two", True, False)
    assert [item if isinstance(item, (int, str)) else repr(item) for item in things] == [1, "two", "Shelf(3,)"]
    assert things.things == (1, "two", [3])
    assert things._repr_mimebundle_() == {"text/plain": repr(things), "text/html": "<b>3</b>"}
    assert {"joined", "things"} <= set(dir(things))
    assert (type(things).__name__, type(things).__doc__) == ("Shelf", "A row of things.")
    assert things.joined.__doc__ == "Return the things of both."
    assert not callable(things)
    assert not shared.shelf()
    assert not hasattr(things, "absent")
    assert not hasattr(things, "_repr_html_"), "asked for by every notebook"
    with pytest.raises(AttributeError):
        things.things = 1


def test_it_is_an_argument_of_later_calls(shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = shared.shelf(1), shared.shelf(2)
    assert repr(one.joined(two, times=2)) == "Shelf(1, 2, 1, 2)"
    assert repr(shared.echo([one])[0]) == "Shelf(1,)"
    with _start(tmp_path, monkeypatch) as another, pytest.raises(ip.UserError, match="Shelf lives in another worker"):
        another.echo(one)


def test_values_arrive_on_the_other_side(shared: Any) -> None:
    assert shared.echo({"a": [1, None, Path("b")]}) == {"a": [1, None, Path("b")]}
    np.testing.assert_array_equal(shared.echo(np.eye(300)), np.eye(300))
    for value in (object(), len, shared):
        with pytest.raises(ip.UserError, match="cannot be sent to the worker; what can: numbers"):
            shared.echo(value)


def test_objects_are_released_with_their_proxies(shared: Any) -> None:
    gc.collect()
    before = shared.live()
    things = [shared.shelf(number) for number in range(5)]
    copy = things[0]
    assert shared.live() == before + 5
    del things
    gc.collect()
    assert shared.live() == before + 1
    assert repr(copy) == "Shelf(0,)"


def test_a_path_means_the_same_on_both_sides(shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, ROOT):
        monkeypatch.chdir(folder)
        assert shared.folder(Path("a.png")) == (str(folder), str(folder / "a.png"))


def test_exceptions(shared: Any) -> None:
    with pytest.raises(ip.GateRefused, match=r"^2 copies$") as refused:
        shared.fail()
    assert refused.value.findings == [{"check": "duplicates", "count": 2}]
    assert repr(refused.value.run) == "Shelf('what came of it',)"
    things = shared.shelf(1)
    with pytest.raises(IndexError):
        things[1]
    with pytest.raises(TypeError, match="takes 2 positional arguments") as mistake:
        things.joined(1, 2)
    assert mistake.value.__cause__ is None
    with pytest.raises(LookupError, match="nothing there") as fault:
        _ = things.broken
    assert "in broken" in str(fault.value.__cause__), "where it happened"
    with pytest.raises(RuntimeError, match="ValueError: a layer"):
        shared.fail_oddly()
    with pytest.raises(AttributeError, match="no 'shefl'; did you mean 'shelf'"):
        _ = shared.shefl


def test_what_the_api_prints_and_warns_of_arrives_and_nothing_else(
    shared: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(UserWarning, match="three images cannot be read") as seen:
        assert shared.talk() == "answer"
    assert seen[0].filename == __file__, "the line of the caller"
    assert capfd.readouterr() == ("said by the API\n", "")
    log = Path(shared.log).read_text()
    for text in ("said by C", "an error by Python", "said by a child"):
        assert text in log


def test_a_warning_that_is_an_error_here_is_raised_once_the_call_is_over(shared: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="three images"):
            shared.talk()
    assert shared.echo(1) == 1


def test_a_second_thread_waits(shared: Any, tmp_path: Path) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(shared.spin(tmp_path / "mark", 0.2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["done"] * 3


def test_ctrl_c_interrupts_the_call_and_leaves_the_worker(shared: Any, tmp_path: Path) -> None:
    things = shared.shelf(1)
    before = signal.getsignal(signal.SIGINT)
    after(tmp_path / "mark", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Stopped, match="interrupted"):
        shared.spin(tmp_path / "mark")
    assert signal.getsignal(signal.SIGINT) is before
    assert repr(things) == "Shelf(1,)"


def test_an_interrupt_waits_for_an_import(shared: Any, tmp_path: Path) -> None:
    """A module that was half imported would fail in every later call."""
    after(tmp_path / "mark", lambda: signal.raise_signal(signal.SIGINT))
    (tmp_path / "slow_module.py").write_text(
        f"import pathlib, time\npathlib.Path({str(tmp_path / 'mark')!r}).touch()\ntime.sleep(1.5)\n"
        f"pathlib.Path({str(tmp_path / 'imported')!r}).touch()\n"
    )
    with pytest.raises(Stopped):
        shared.bring(tmp_path, "slow_module")
    assert (tmp_path / "imported").exists()


def test_a_second_ctrl_c_ends_the_worker_and_the_next_call_starts_another(remote: Any, tmp_path: Path) -> None:
    things = remote.shelf(1)

    after(tmp_path / "mark", lambda: signal.raise_signal(signal.SIGINT))
    after(tmp_path / "heard", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Stopped, match="interrupted twice: the worker was ended"):
        remote.persist(tmp_path / "mark", tmp_path / "heard")
    assert repr(things) == "<Shelf in a worker that has ended>"
    with pytest.raises(WorkerEnded, match="by SIGKILL, after a second Ctrl-C"):
        len(things)
    log, process = remote.log, remote._connection._process
    assert remote.echo(1) == 1
    assert remote._connection._process is not process
    os.unlink(log)


def test_a_killed_worker_is_one_line(remote: Any, tmp_path: Path) -> None:
    process = remote._connection._process
    after(tmp_path / "mark", process.kill)
    with pytest.raises(WorkerEnded) as ended:
        remote.start(tmp_path / "mark")
    (line,) = str(ended.value).splitlines()
    assert "ended by SIGKILL, perhaps because the memory was used up" in line
    assert remote.log in line
    assert Path(remote.log).exists()
    assert not Path(f"/proc/{process.pid}").exists(), "no zombie"
    assert gone(int((tmp_path / "mark").read_text())), "what it had started is ended too"
    os.unlink(remote.log)


def test_a_screen_ends_with_its_worker(remote: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after(tmp_path / "mark", remote._connection._process.kill)
    with pytest.raises(WorkerEnded):
        remote.staged(tmp_path / "mark")
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["ExampleGen", "done"],
        ["Trainer", "failed"],
    ]
    os.unlink(remote.log)


def test_close_ends_it_and_a_later_call_says_so(remote: Any) -> None:
    process, log = remote._connection._process, remote.log
    things = remote.shelf(1)
    remote.close()
    assert process.returncode == 0
    assert not Path(log).exists()
    for call in (lambda: remote.echo(1), lambda: things.things):
        with pytest.raises((ip.UserError, WorkerEnded), match="worker is closed"):
            call()
    assert "closed" in repr(remote)
    remote.close()


def test_a_proxy_keeps_the_worker_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _start(tmp_path, monkeypatch)
    process = made._connection._process
    things = made.shelf(1)
    del made
    gc.collect()
    assert repr(things) == "Shelf(1,)"
    del things
    gc.collect()
    assert process.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_ends_with_its_parent_in_the_midst_of_a_call(number: int, tmp_path: Path) -> None:
    code = f"""
import os, pathlib, image_pipeline as ip
from tests.api import boundary_api
ip.spin, ip.__all__ = boundary_api.spin, [*ip.__all__, "spin"]
r = ip.remote({boundary_api.program(tmp_path)!r})
print(r._connection._process.pid, flush=True)
if os.fork() == 0:
    import time; time.sleep(8); os._exit(0)  # a process with a copy of the socket
r.spin(pathlib.Path({str(tmp_path / "mark")!r}))
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        wait_for((tmp_path / "mark").exists)
        parent.send_signal(number)
        parent.wait()
        assert gone(worker)


def test_refusals(tmp_path: Path) -> None:
    lying = tmp_path / "lying"
    lying.write_text("#!/bin/sh\necho not a Python; exit 3\n")
    lying.chmod(0o755)
    with pytest.raises(ip.UserError, match=r"there is no Python at no/python: `make setup` makes .*/\.venv/bin/python"):
        ip.remote("no/python")
    with pytest.raises(ip.UserError, match=r"lacks .*tensorflow, tfx: run `make setup`"):
        ip.remote(BARE)
    with pytest.raises(ip.UserError, match="cannot be used: not a Python"):
        ip.remote(lying)
    with pytest.raises(ip.UserError, match="cannot be started: Permission denied"):
        ip.remote(ROOT / "setup.py")


def test_another_version_of_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("image_pipeline.boundary.interpreter.source_hash", lambda: "of another version")
    with pytest.raises(ip.UserError, match=r"has another version of this package, in .*image_pipeline, than this"):
        ip.remote(sys.executable)


def test_the_calls_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # from where `.venv/bin/python` is the project's
    with ip.remote() as r:
        assert r.python == str(ROOT / ".venv/bin/python")
        assert set(dir(r)) == {*ip.__all__, "close", "log", "python"} - {"remote"}
        assert r.UserError is ip.UserError
        assert r.run.__doc__ == ip.run.__doc__
        frame = r.config("digits", epochs=3)
        assert frame.equals(ip.config("digits", epochs=3))
        assert frame.loc["trainer.epochs", "value"] == 3
        with pytest.raises(ip.UserError, match="did you mean epochs"):
            r.config("digits", epohcs=3)


@pytest.mark.slow
def test_what_is_of_tensorflow_says_what_to_do_instead(shared: Any) -> None:
    with pytest.raises(ip.UserError) as refused:
        shared.tensor()
    (line,) = str(refused.value).splitlines()
    assert line.startswith("tensor() is a tensorflow EagerTensor, which lives in ")
    assert "run a script with that Python" in line


def test_the_side_of_the_user_needs_the_standard_library_alone() -> None:
    code = f"""
import sys, image_pipeline as ip
with ip.remote({sys.executable!r}) as r:
    try:
        r.config("digits")
    except ip.UserError as error:
        print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([BARE, "-c", code], cwd="/", env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (
        "the answer is a DataFrame, and this Python lacks pandas: `pip install pandas` here\n",
        "",
    )


def after(mark: Path, action: Callable[[], None]) -> None:
    """Do something in another thread once the worker made a file."""

    def wait() -> None:
        wait_for(mark.exists)
        action()

    threading.Thread(target=wait, daemon=True).start()


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(process: int) -> bool:
    """Whether a process ends within seconds; one that init has not yet reaped has ended."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    wait_for(ended)
    return True
