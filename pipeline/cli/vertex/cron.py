"""Check a cron expression: five fields, each of numbers and names in its range."""

from __future__ import annotations

import argparse
import re
import zoneinfo
from typing import NamedTuple


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()  # of its numbers from `first` on


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field("weekday", 0, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
)
_LENGTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # of the months with fewer than 31 days


def cron(text: str) -> str:
    """Return `text`, a cron expression with or without a time zone.

    Raises:
      argparse.ArgumentTypeError: it is none, or names no day that there is.
    """
    zone, fields = "UTC", text.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        zone, *fields = fields
        zone = zone.partition("=")[2]
    if len(fields) != 5:
        raise argparse.ArgumentTypeError(f"{text!r} has {len(fields)} fields, not five: minute hour day month weekday")
    _, _, days, months, _ = (_numbers(text, field, part) for field, part in zip(_FIELDS, fields))
    if fields[4] == "*" and not any(day <= _LENGTHS.get(month, 31) for day in days for month in months):
        raise argparse.ArgumentTypeError(f"{text!r}: no month of these has such a day, so it would never run")
    if zone not in zoneinfo.available_timezones():
        raise argparse.ArgumentTypeError(f"{zone!r} is no time zone; they are named as Europe/Paris")
    return text


def _numbers(text: str, field: _Field, part: str) -> set[int]:
    """Return the numbers that a part of the expression `text` stands for: of *, 1, 1-5, MON-FRI, */15, or a list."""
    result: set[int] = set()
    for item in part.split(","):
        match = re.fullmatch(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", item)
        if not match:
            raise argparse.ArgumentTypeError(f"{text!r}: the {field.name} {part!r} is not of numbers and * , - /")
        every, low, high, step = match.groups()
        first = field.first if every else _number(text, field, low)
        last = field.last if every or (step and not high) else _number(text, field, high or low)
        if first > last:
            raise argparse.ArgumentTypeError(f"{text!r}: the {field.name} {item!r} begins after its end")
        if step is not None and not 0 < int(step) <= field.last:
            raise argparse.ArgumentTypeError(f"{text!r}: the step of the {field.name} {item!r} is 1 to {field.last}")
        result |= set(range(first, last + 1, int(step or 1)))
    return result


def _number(text: str, field: _Field, word: str) -> int:
    if word.upper() in field.names:
        return field.first + field.names.index(word.upper())
    number = int(word) if re.fullmatch(r"\d+", word, re.ASCII) else -1
    if not field.first <= number <= field.last:
        names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise argparse.ArgumentTypeError(
            f"{text!r}: the {field.name} is {field.first} to {field.last}{names}, not {word}"
        )
    return number
