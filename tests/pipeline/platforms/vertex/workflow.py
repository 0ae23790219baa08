"""An interpreter of the part of Google's Workflows that infra/trigger/workflow.yaml uses.

Its functions do what the reference of each says (cloud.google.com/workflows/docs/reference/stdlib); an expression is
Python where the two languages are alike. What it does not know raises, also a step or a function that is new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

Call = Callable[[str, dict[str, Any]], None]


def _map_get(value: Any, keys: str | list[str]) -> Any:
    for key in [keys] if isinstance(keys, str) else keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _functions(variables: dict[str, str]) -> dict[str, Any]:
    return {
        "default": lambda value, other: other if value is None else value,
        "len": len,
        "map": SimpleNamespace(get=_map_get),
        "json": SimpleNamespace(encode_to_string=lambda value: json.dumps(value, separators=(",", ":"))),
        "sys": SimpleNamespace(get_env=variables.__getitem__),
        "text": SimpleNamespace(
            # The $ of RE2 is the end of the text, that of Python also the place before a last line break.
            match_regex=lambda text, pattern: re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None,
            replace_all_regex=lambda text, pattern, new: re.sub(pattern, new, text),
            substring=lambda text, start, end: text[start:end],
            to_lower=str.lower,
        ),
    }


def run(path: Path, event: Any, environment: dict[str, str], call: Call) -> Any:
    """Run the workflow in a file on an event; `call` gets each call's name and arguments.

    Returns:
      What the workflow returns.
    """
    main = yaml.safe_load(path.read_text())["main"]
    names: dict[str, Any] = {main["params"][0]: event}
    functions = _functions(environment)

    def value(of: Any) -> Any:
        if isinstance(of, dict):
            return {key: value(each) for key, each in of.items()}
        if isinstance(of, list):
            return [value(each) for each in of]
        if isinstance(of, str) and (expression := re.fullmatch(r"\$\{(.*)\}", of)):
            assert len(of) <= 400, "the longest expression that Workflows takes"
            return eval(expression[1], {"__builtins__": {}}, {**functions, **names})
        return of

    steps = [next(iter(step.items())) for step in main["steps"]]
    order = [name for name, _ in steps]
    at = 0
    while at < len(steps):
        step = steps[at][1]
        at += 1
        if step.keys() == {"assign"}:
            for assignment in step["assign"]:
                ((name, of),) = assignment.items()
                names[name] = value(of)
        elif step.keys() == {"switch"}:
            target = next((case["next"] for case in step["switch"] if value(case["condition"]) is True), None)
            at = at if target is None else order.index(target)
        elif step.keys() == {"call", "args"}:
            call(step["call"], value(step["args"]))
        elif step.keys() == {"return"}:
            return value(step["return"])
        else:
            raise ValueError(f"a step that this interpreter does not know: {step}")
    return None
