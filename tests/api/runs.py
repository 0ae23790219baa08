"""Settings for small and quick runs through the Python API."""

from __future__ import annotations

from typing import Any

import yaml

from tests.runs import LENIENT, QUICK

SMALL: dict[str, Any] = {
    key: yaml.safe_load(value) for key, _, value in (setting.partition("=") for setting in (*QUICK, *LENIENT))
}
