"""Images with their labels and predictions, as a grid in a notebook."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from image_pipeline import page

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from components.contracts.predictions import Predictions

SIDE = 128  # CSS pixels of an image in the grid


@dataclasses.dataclass(frozen=True)
class Item:
    """One image.

    Attributes:
      source: its path in the data.
      label: its class.
      predicted: the class that the model predicts; None where no model was asked.
      confidence: the probability of `predicted`, in [0, 1]; None likewise.
      encoded: the image as it is stored: upright JPEG, PNG or BMP.
    """

    source: str
    label: str
    predicted: str | None = None
    confidence: float | None = None
    encoded: bytes = dataclasses.field(default=b"", repr=False)

    @property
    def image(self) -> Image.Image:
        """Return the decoded image."""
        from PIL import Image

        return Image.open(io.BytesIO(self.encoded)).convert("RGB")


class Gallery(Sequence[Item]):
    """Images of a split, a sequence of Item, shown as a grid."""

    def __init__(self, title: str, items: Sequence[Item]) -> None:
        self.title = title
        self._items = list(items)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Gallery: ...

    def __getitem__(self, index: int | slice) -> Item | Gallery:
        return Gallery(self.title, self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @property
    def frame(self) -> pd.DataFrame:
        """Return a row an image: source, label, predicted, confidence."""
        import pandas as pd

        columns = ["source", "label", "predicted", "confidence"]
        return pd.DataFrame([[getattr(item, name) for name in columns] for item in self], columns=columns)

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"  {item.source}: {_caption(item)}" for item in self)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        figures = "".join(
            f"<figure style='margin:0;width:{SIDE}px' title='{html.escape(item.source, quote=True)}'>"
            f"<img src='{_uri(item.encoded)}' alt='{html.escape(_caption(item), quote=True)}' "
            f"style='width:{SIDE}px;height:{SIDE}px;object-fit:contain;image-rendering:auto'>"
            f"<figcaption style='font-size:85%;line-height:1.3;overflow-wrap:anywhere'>{html.escape(_caption(item))}"
            f"</figcaption></figure>"
            for item in self
        )
        grid = f"<div style='display:flex;flex-wrap:wrap;gap:12px;margin:6px 0'>{figures}</div>"
        return page.bundle(repr(self), f"<div>{html.escape(self.title)}</div>{grid}")


def _caption(item: Item) -> str:
    if item.predicted is None:
        return item.label
    return f"{item.label}, predicted {item.predicted} {item.confidence:.1%}"


def _uri(encoded: bytes) -> str:
    """Return the image as a data URI, reduced to twice the side at which it is shown if it is much larger."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        kind = (image.format or "png").lower()
        if max(image.size) > 2 * SIDE:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            small = image.convert("RGB")
            small.thumbnail((2 * SIDE, 2 * SIDE))
            out = io.BytesIO()
            small.save(out, "JPEG", quality=85)
            encoded, kind = out.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"


def of_split(examples: str, split: str, n: int) -> Gallery:
    """Return up to `n` images of a split, as many of each class, in the order of the classes."""
    from components.contracts import counts
    from components.contracts import features as f
    from components.report import thumbnails

    counted = {name: count for name, count in counts.read(examples).splits.get(split, {}).items() if count}
    each = max(1, n // max(1, len(counted)))
    found: dict[str, list[Item]] = {name: [] for name in sorted(counted)}
    missing = sum(min(each, count) for count in counted.values())
    for row in thumbnails.rows(examples, split) if missing else ():
        name = row[f.CLASS_NAME].decode(errors="replace")
        if len(found[name]) < each:
            found[name].append(Item(row[f.SOURCE].decode(errors="replace"), name, encoded=row[f.IMAGE]))
            missing -= 1
        if not missing:
            break
    items = [item for items in found.values() for item in items][:n]
    return Gallery(f"{len(items)} images of {split}", items)


def of_mistakes(examples: str, answers: Predictions, names: Sequence[str], n: int) -> Gallery:
    """Return up to `n` test images that were predicted wrongly, the most confident first; `names` of the labels."""
    from components.contracts import features as f
    from components.report import predictions, thumbnails

    rows = predictions.mistakes(answers, n)
    wanted = {str(answers.source[row]) for row in rows}
    encoded: dict[str, bytes] = {}
    for row in thumbnails.rows(examples, f.TEST) if wanted else ():
        source = row[f.SOURCE].decode(errors="replace")
        if source in wanted:
            encoded[source] = row[f.IMAGE]
        if len(encoded) == len(wanted):
            break
    items = [
        Item(
            source=str(answers.source[row]),
            label=str(answers.class_name[row]),
            predicted=names[int(answers.predicted[row])],
            confidence=float(answers.confidence[row]),
            encoded=encoded[str(answers.source[row])],
        )
        for row in rows
    ]
    wrong = int((~answers.right).sum())
    return Gallery(f"{len(items)} of {wrong:,} wrong predictions among {len(answers):,} test images", items)
