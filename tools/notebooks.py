"""Execute notebooks/*.ipynb from top to bottom and write each below build/notebooks, as a notebook and as a page.

usage: python tools/notebooks.py [--set NAME=VALUE ...] [--out FOLDER] [NOTEBOOK ...]     # `make notebooks`

They run in the kernel of .tools/kernel, whose Python is not that of .venv. NAME is a variable of the cell that is
tagged `parameters`, VALUE a Python literal or else text. The notebooks in the repository stay as they are.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="all of notebooks/ if none is named"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings", type=_setting)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "notebooks", metavar="FOLDER")
    args = parser.parse_args()
    if Path(sys.prefix) != ROOT / ".tools" / "kernel":
        sys.path.insert(0, str(ROOT / "tools"))
        import kernel

        return subprocess.call([kernel.make(), __file__, *sys.argv[1:]])
    args.out.mkdir(parents=True, exist_ok=True)
    paths = args.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    return max([execute(path, dict(args.settings), args.out) for path in paths])


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def execute(path: Path, settings: dict[str, Any], out: Path) -> int:
    """Execute a notebook, stop at the first cell that fails, write what came of it, and return an exit code."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    names = {target.id for node in ast.parse(notebook.cells[place].source).body for target in node.targets}
    given = {name: value for name, value in settings.items() if name in names}
    if given:
        source = "\n".join(f"{name} = {value!r}" for name, value in given.items())
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
        notebook.cells.insert(place + 1, cell)
    start, failure = time.monotonic(), None
    client = NotebookClient(
        notebook,
        timeout=None,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute()
    except CellExecutionError as error:
        failure = error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    page = HTMLExporter().from_notebook_node(notebook)[0]
    (out / path.name).write_text(nbformat.writes(notebook))
    (out / path.with_suffix(".html").name).write_text(page)
    print(f"{out / path.stem}.html  {time.monotonic() - start:.0f} s", flush=True)
    if failure:
        print(f"{path}: {failure}", file=sys.stderr)
    return 1 if failure else 0


def joined(outputs: list[Any]) -> list[Any]:
    """Return the outputs of a cell, what was printed one after the other as one of them, as Jupyter shows it."""
    whole: list[Any] = []
    for output in outputs:
        before = whole[-1] if whole else {}
        if output["output_type"] == "stream" and before.get("name") == output["name"]:
            before["text"] += output["text"]
        else:
            whole.append(output)
    return whole


if __name__ == "__main__":
    sys.exit(main())
