"""What a run does with Ctrl-C, SIGTERM and SIGHUP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from components.errors import Stopped
from components.trainer import interrupt
from pipeline.platforms.local import signals

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _hear_all() -> object:
    """However the tests were started: a shell's background job ignores Ctrl-C."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ALL}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ALL)
def test_the_first_signal_is_raised_where_the_run_is(number: int) -> None:
    with pytest.raises(Stopped) as stopped, signals.raised() as asked:
        signal.raise_signal(number)
    assert stopped.value.number == asked.number == number
    assert signal.getsignal(number) == signal.SIG_DFL
    with pytest.raises(Stopped):
        asked.check()


def test_what_must_be_done_is_done_first() -> None:
    done = []

    def end(asked: signals.Signals) -> None:
        with asked.deferred():
            signal.raise_signal(signal.SIGTERM)
            done.append("result")
        done.append("report")

    with signals.raised() as asked, pytest.raises(Stopped):
        end(asked)
    assert done == ["result"]


def test_after_a_signal_what_must_be_done_is_done_as_well() -> None:
    with signals.raised() as asked:
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        with asked.deferred():
            pass


@pytest.mark.parametrize(
    "heard", ["pipeline.platforms.local.signals.raised", "components.trainer.interrupt.stop_requested"]
)
def test_the_second_signal_ends_the_process_at_once(heard: str) -> None:
    module, _, name = heard.rpartition(".")
    program = f"""
import signal, {module} as module
with module.{name}():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        pass
    signal.raise_signal(signal.SIGTERM)
    print("still here")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, preexec_fn=_defaults)
    assert (done.returncode, done.stdout) == (143, ""), done.stderr


def _defaults() -> None:
    for number in ALL:
        signal.signal(number, signal.SIG_DFL)


def test_an_ignored_signal_stays_ignored() -> None:
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.raised() as asked, interrupt.stop_requested() as stop:
        signal.raise_signal(signal.SIGHUP)
    assert asked.number is None
    assert not stop.is_set()


def test_a_training_stops_at_a_moment_of_its_own_choice() -> None:
    with signals.raised() as asked:
        with interrupt.stop_requested() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(5)
            assert stop.number == signal.SIGTERM
        assert asked.number is None


def test_outside_the_main_thread_nothing_is_changed() -> None:
    seen = []

    def look() -> None:
        with signals.raised(), interrupt.stop_requested():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
