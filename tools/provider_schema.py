"""Check that infra/terraform gives each resource only arguments that Google's provider has, and all that it requires.

`terraform validate` does the same, but downloads the provider. Here its schema is read from the package
cdktn-provider-google, which is generated from the provider.

usage: python tools/provider_schema.py FOLDER (where the package is installed)
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

TERRAFORM = Path(__file__).resolve().parent.parent / "infra" / "terraform"
META = {"count", "for_each", "depends_on", "lifecycle", "provider", "dynamic"}


class Schema:
    """The arguments of every resource, as jsii describes the classes that were generated from them."""

    def __init__(self, package: Path) -> None:
        (archive,) = package.glob("cdktn_provider_google/_jsii/*.tgz")
        with tarfile.open(archive) as tar:
            member = tar.extractfile("package/.jsii")
            assert member
            document = json.load(member)
        self.types: dict[str, Any] = document["types"]
        self.version = re.findall(r"provider version ([\d.]+)", document["readme"]["markdown"])[0]
        self.configs = {kind["name"].lower(): kind for kind in self.types.values() if kind["name"].endswith("Config")}

    def of(self, resource: str, data: bool) -> dict[str, Any] | None:
        """Return the class of a resource, google_storage_bucket, or of a data source; None if there is none."""
        name = resource if data else resource.removeprefix("google_")
        return self.configs.get(f"{'data' if data else ''}{name}config".replace("_", ""))

    def check(self, block: dict[str, Any], kind: dict[str, Any], where: str) -> Iterator[str]:
        """Yield what the provider would refuse in a block and the blocks in it."""
        known = {_snake(each): each for each in kind["properties"]}
        dynamic = {name: body["content"][0] for each in block.get("dynamic", []) for name, body in _labelled(each)}
        given = {name: value for name, value in {**block, **dynamic}.items() if name not in META and name[:2] != "__"}
        for name, value in given.items():
            if name not in known:
                yield f"{where}: the provider knows no {name!r}"
                continue
            inner = self.types.get(_fqn(known[name]["type"]) or "")
            for each in value if isinstance(value, list) else [value]:
                if inner and isinstance(each, dict):
                    yield from self.check(each, inner, f"{where}.{name}")
        for name, each in known.items():
            if not each.get("optional") and name not in given:
                yield f"{where}: the provider requires {name!r}"


def _snake(described: dict[str, Any]) -> str:
    """Return an argument's name in Terraform, which is in the link to its documentation."""
    link = re.search(r"#(\w+) \w+#", described.get("docs", {}).get("remarks", ""))
    return link[1] if link else re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", described["name"])


def _fqn(kind: dict[str, Any]) -> str | None:
    """Return the class of a block's arguments, be it one block or a list of them."""
    for each in kind.get("union", {}).get("types", [kind]):
        name: str | None = each.get("fqn") or each.get("collection", {}).get("elementtype", {}).get("fqn")
        if name and name.startswith("@cdktn/provider-google."):
            return name
    return None


def _labelled(block: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for label, body in block.items():
        if label[:2] != "__":
            yield label.strip('"'), body


def resources(folder: Path) -> Iterator[tuple[str, str, bool, dict[str, Any]]]:
    """Yield (type, name, whether it is a data source, body) of each resource in the folder's files."""
    for path in sorted(folder.glob("*.tf")):
        with path.open() as file:
            document = hcl2.load(file)
        for key in ("resource", "data"):
            for block in document.get(key, []):
                for kind, named in _labelled(block):
                    for name, body in _labelled(named):
                        yield kind, name, key == "data", body


def main() -> int:
    """Print what the provider would refuse."""
    schema = Schema(Path(sys.argv[1]))
    found, count = [], 0
    for kind, name, data, body in resources(TERRAFORM):
        count += 1
        described = schema.of(kind, data)
        if described is None:
            found.append(f"{kind}.{name}: the provider has no such resource")
        else:
            found += schema.check(body, described, f"{kind}.{name}")
    print("\n".join(found) or f"{count} resources fit the provider {schema.version}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
