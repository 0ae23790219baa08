"""The findings on images that ExampleGen left out: those that cannot be used, and copies of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from components.contracts import rejects
from components.contracts.counts import Counts
from components.contracts.findings import KEPT, REJECTED, Finding
from components.contracts.rejects import Rejection
from components.data_gate.messages import finding, for_example, one_line, quote

_REASONS = 3  # named in the message


class Limits(NamedTuple):
    """The fractions of the images that may be left out before it is a finding."""

    rejected: float  # cannot be used
    dropped: float  # copies of others


def rejected(examples_uri: str, counted: Counts, limits: Limits, action: str) -> Iterator[Finding]:
    """Yield a finding for each of the limits that is exceeded."""
    dropped = sum(counted.dropped.values())
    total = counted.rejected + counted.images

    def exceeded(count: int, limit: float, were: str, key: str, advice: str, is_copy: bool) -> Iterator[Finding]:
        if count and count / total > limit:
            over = f"{count:,} of {total:,} images ({count / total:.1%}) {were}, more than {key} ({limit:.1%}) allows"
            rows = (row for row in rejects.read(examples_uri) if (row.same_as is not None) == is_copy)
            message, examples = _in_words(rows)
            message = f"{over}: {message}. All are listed in {rejects.path(examples_uri)}."
            yield finding(REJECTED, action, message, f"{advice}, or raise {key}", count, examples)

    key = "gate.max_rejected"
    yield from exceeded(
        counted.rejected - dropped, limits.rejected, "cannot be used", key, "Repair or remove them", is_copy=False
    )
    key = "gate.max_dropped"
    yield from exceeded(dropped, limits.dropped, "were dropped", key, "Look why so many are alike", is_copy=True)


def _in_words(rows: Iterable[Rejection]) -> tuple[str, list[dict[str, str | None]]]:
    """Return the reasons with their counts and a few images, and more images as JSON."""
    _, reasons, examples = rejects.summarise(rows, KEPT)
    named_reasons = ", ".join(f"{n:,} {one_line(reason)}" for reason, n in reasons[:_REASONS])
    more = ", and more" if len(reasons) > _REASONS else ""
    sample = for_example(
        quote(row.source)
        + (f" = {quote(row.same_as)}" if row.same_as is not None else "")
        + (f" ({one_line(row.reason)})" if len(reasons) > 1 else "")
        for row in examples
    )
    return f"{named_reasons}{more}{sample}", [row.to_json() for row in examples]
