"""What holds for every test."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import settings

# Speed is measured in benchmarks/, and a busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _our_warnings_are_errors() -> None:
    warnings.filterwarnings("error", module=r"(components|pipeline)(\.|$)")
