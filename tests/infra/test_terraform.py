"""infra/terraform and the commands of docs/vertex.md, docs/vertex-automation.md give the same APIs, roles and names."""

from __future__ import annotations

import re
from typing import Any

import hcl2
import pytest

from pipeline import ROOT, config
from pipeline.platforms.vertex import names
from pipeline.platforms.vertex.config import Vertex

PAGES = "".join((ROOT / "docs" / name).read_text() for name in ("vertex.md", "vertex-automation.md"))
FILES = sorted((ROOT / "infra" / "terraform").glob("*.tf"))
PLACES = ("project", "bucket", "repository")


def section(title: str) -> str:
    """Return the text below a heading of the pages."""
    found = re.search(rf"^## (?:\d+\. )?{re.escape(title)}\n(.*?)(?=^## |\Z)", PAGES, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def commands(text: str) -> str:
    """Return the indented lines, without comments and breaks."""
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    return re.sub(r"\s+# .*", "", "\n".join(lines), flags=re.MULTILINE).replace("\\\n", " ")


@pytest.fixture(scope="module")
def terraform() -> dict[str, Any]:
    """All blocks of the files, {"resource": [...], ...}, without the quotes that python-hcl2 leaves to texts."""
    blocks: dict[str, Any] = {}
    for path in FILES:
        with path.open() as file:
            for key, value in hcl2.load(file).items():
                blocks.setdefault(key, []).extend(value)
    unquoted: dict[str, Any] = _unquoted(blocks)
    return unquoted


def _unquoted(value: Any) -> Any:
    if isinstance(value, dict):
        return {_unquoted(key): _unquoted(each) for key, each in value.items() if key[:2] != "__"}
    if isinstance(value, list):
        return [_unquoted(each) for each in value]
    return value[1:-1] if isinstance(value, str) and value[:1] == '"' else value


def local(terraform: dict[str, Any], name: str) -> Any:
    (value,) = (block[name] for block in terraform["locals"] if name in block)
    return value


def resource(terraform: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    (body,) = (block[kind][name] for block in terraform["resource"] if name in block.get(kind, {}))
    return dict(body)


def split(value: list[str] | str) -> tuple[set[str], set[str]]:
    """Return (what is always in a list, what is in it with Dataflow alone)."""
    if isinstance(value, list):
        return set(value), set()
    optional = re.findall(r"var\.dataflow \? \[([^]]*)\]", value)
    always = re.findall(r"concat\(\[([^]]*)\]", value)
    return set(re.findall(r'"([^"]+)"', " ".join(always))), set(re.findall(r'"([^"]+)"', " ".join(optional)))


def test_both_switch_on_the_same_apis(terraform: dict[str, Any]) -> None:
    enabled = [
        {word for word in line.split() if word.endswith(".googleapis.com")}
        for line in commands(section("The project")).splitlines()
        if line.startswith("gcloud services enable")
    ]
    assert [*split(local(terraform, "apis"))] == enabled


def test_both_give_the_stages_account_the_same_roles(terraform: dict[str, Any]) -> None:
    text = section("The service account")
    documented: dict[str, tuple[set[str], set[str]]] = {place: (set(), set()) for place in (*PLACES, "itself")}
    for roles, place, use in re.findall(r"^\| (`.*?) \| (?:the )?(\w+) \| (.*) \|$", text, re.MULTILINE):
        documented[place]["only with Dataflow" in use].update(f"roles/{role}" for role in re.findall("`(.*?)`", roles))
    runner = local(terraform, "runner_roles")
    assert {place: split(runner[place]) for place in PLACES} == {place: documented[place] for place in PLACES}
    itself = resource(terraform, "google_service_account_iam_member", "acts_as_runner")["role"]
    assert documented["itself"] == ({itself}, set())

    lines = commands(text)
    loop = re.search(r"for ROLE in ([\w. ]+);", lines)
    assert loop
    assert {f"roles/{role}" for role in loop[1].split()} == documented["project"][0]
    given = set(re.findall(r"--role=(roles/[\w.]+)", lines))
    assert given == documented["bucket"][0] | documented["itself"][0]


def test_both_give_a_user_who_submits_the_same_roles(terraform: dict[str, Any]) -> None:
    text = section("The service account")
    sentence = text[text.index("A user who submits") :].partition("    ")[0]
    always, _, dataflow = " ".join(sentence.split()).partition("; with Dataflow also ")

    def documented(words: str) -> dict[str, set[str]]:
        found = re.findall(r"((?:`[\w.]+`(?:, | and )?)+) on the (\w+)", words)
        return {place: {f"roles/{role}" for role in re.findall("`(.*?)`", roles)} for roles, place in found}

    every, person = local(terraform, "submitter_roles"), local(terraform, "person_roles")
    expected = {place: split(every[place])[0] | split(person[place])[0] for place in PLACES}
    expected["service"] = {resource(terraform, "google_service_account_iam_member", "acts_as_runner")["role"]}
    assert documented(always) == expected
    assert documented(dataflow) == {"project": split(person["project"])[1]}


def test_no_role_is_a_broad_one() -> None:
    roles = {role for path in FILES for role in re.findall(r'"roles/([^"]+)"', path.read_text())}
    broad = {"owner", "editor", "viewer", "admin", "developer", "objectAdmin"}
    # The least roles that read logs, and that start and cancel a job of Dataflow.
    assert {role for role in roles if role.rpartition(".")[2] in broad} == {"logging.viewer", "dataflow.developer"}


def test_the_names_are_those_that_the_commands_look_for(terraform: dict[str, Any]) -> None:
    loaded, _ = config.load("cifar10", None, ("vertex.project=my-project",))

    def filled(text: str) -> str:
        return text.replace("${var.project}", "my-project").replace("${var.region}", loaded.vertex.region)

    assert f'"{names.bucket(loaded).removeprefix("gs://")}"' in filled(local(terraform, "bucket"))
    assert f'"{names.image(loaded)}"' in filled(local(terraform, "image"))
    repository = resource(terraform, "google_artifact_registry_repository", "pipelines")
    assert f"repositories create {repository['repository_id']} " in commands(section("The image"))
    account = resource(terraform, "google_service_account", "runner")["account_id"]
    assert f"service-accounts create {account}\n" in commands(section("The service account"))
    assert "--uniform-bucket-level-access" in commands(section("The bucket"))
    assert resource(terraform, "google_storage_bucket", "pipelines")["uniform_bucket_level_access"] is True


def test_the_settings_that_terraform_prints_are_settings(terraform: dict[str, Any]) -> None:
    (output,) = (block["cloud_yaml"] for block in terraform["output"] if "cloud_yaml" in block)
    keys = set(re.findall(r"[{,] ?(\w+) = ", output["value"])) - {"vertex"}
    assert {"project", "region", "bucket", "service_account"} <= keys <= set(Vertex.model_fields)


def test_the_page_lists_every_variable(terraform: dict[str, Any]) -> None:
    variables = {name: body for block in terraform["variable"] for name, body in block.items()}
    assert [name for name, body in variables.items() if not body.get("description")] == []
    text = section("With Terraform")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(variables)
    assert set(re.findall(r"^    (\w+) += ", text, re.MULTILINE)) <= set(variables)
