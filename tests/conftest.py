"""What holds for every test."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(autouse=True)
def _our_warnings_are_errors() -> None:
    warnings.filterwarnings("error", module=r"(components|pipeline)(\.|$)")
