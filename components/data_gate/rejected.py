"""The finding on images that ExampleGen rejected."""

from __future__ import annotations

from collections.abc import Iterator

from components.contracts import rejects
from components.contracts.counts import Counts
from components.contracts.findings import KEPT, REJECTED, Finding
from components.data_gate.messages import finding, for_example, one_line, quote

_REASONS = 3  # named in the message


def rejected(examples_uri: str, counted: Counts, max_rejected: float, action: str) -> Iterator[Finding]:
    """Yield a finding if more than the fraction `max_rejected` of all images was rejected."""
    count = counted.rejected
    total = count + counted.images
    if not count or count / total <= max_rejected:
        return
    _, reasons, examples = rejects.summarise(examples_uri, KEPT)
    named_reasons = ", ".join(f"{n:,} {one_line(reason)}" for reason, n in reasons[:_REASONS])
    more = ", and more" if len(reasons) > _REASONS else ""
    sample = for_example(
        quote(row.source) + (f" ({one_line(row.reason)})" if len(reasons) > 1 else "") for row in examples
    )
    rows = [row._asdict() for row in examples]
    message = (
        f"{count:,} of {total:,} images ({count / total:.1%}) cannot be used, more than gate.max_rejected "
        f"({max_rejected:.1%}) allows: {named_reasons}{more}{sample}. All are listed in {rejects.path(examples_uri)}."
    )
    yield finding(REJECTED, action, message, "Repair or remove them, or raise gate.max_rejected", count, rows)
