"""What a test needs and not every machine has."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str, required: str) -> NoReturn:
    """Skip aloud; fail where the environment variable `required` is set, as on CI."""
    if os.environ.get(required):
        pytest.fail(what)
    pytest.skip(what)
