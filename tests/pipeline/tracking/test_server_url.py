"""`metadata.url`: where its password may be kept, and that it is shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from components.errors import UserError
from pipeline import config as configs
from pipeline.cli import main
from pipeline.tracking import metadata, server_url

URL = "mysql://tfx:s3cr%40t@host:3307/mlmd"


def load(url: str) -> configs.Config:
    return configs.load("digits", None, (f"metadata.url={json.dumps(url)}",))[0]


def test_the_password_is_in_the_connection_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    config = load(URL)
    mysql = metadata.connection(config).mysql
    assert (mysql.host, mysql.port, mysql.user, mysql.password) == ("host", 3307, "tfx", "s3cr@t")
    assert not metadata.connection(config, password=False).mysql.HasField("password")
    assert main(["config", "--set", f"metadata.url={URL}"]) == 0
    shown = [repr(config), str(config), yaml.safe_dump(config.model_dump(mode="json")), config.model_dump_json()]
    shown += [str(config.model_dump()), capsys.readouterr().out]
    assert not [text for text in shown if "s3cr" in text]
    assert "mysql://tfx:***@host:3307/mlmd" in shown[-1]


@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_variable_or_a_file_may_hold_it(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMD", f"{URL}\n")
    (tmp_path / "secret").write_text(f"{URL}\n")
    reference = "env:MLMD" if kind == "env" else f"file:{tmp_path / 'secret'}"
    config = load(reference)
    assert metadata.connection(config).mysql.password == "s3cr@t"
    assert config.model_dump()["metadata"]["url"] == reference


@pytest.mark.parametrize(
    "url",
    [
        "oracle://tfx:s3cret@host/db",
        "tfx:s3cret@host/db",
        "s3cret",
        "mysql://tfx:s3cret@host",
        "mysql://tfx:12/s3cret@host/db",  # a slash that is not encoded
        "mysql://tfx:s3cret#1@host/db",
        "mysql://tfx:s3cret?1@host/db",
        "mysql://host/db?password=s3cret",
        "mysql://[s3cret/db",
    ],
)
def test_what_is_no_url_is_refused_and_not_repeated(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLMD", url)
    for value in (url, "env:MLMD"):
        assert main(["runs", "--set", f"metadata.url={json.dumps(value)}", "--run-dir", str(tmp_path)]) == 2
        message = capsys.readouterr().err
        assert "write it as mysql://USER:PASSWORD@HOST:PORT/DATABASE" in message
        assert message.count("\n") == 1
        assert "s3cret" not in message


@pytest.mark.parametrize("value", ["[s3cret]", "{a: s3cret}", "7331"])
def test_another_type_of_value_is_not_repeated(value: str) -> None:
    with pytest.raises(UserError) as refused:
        configs.load("digits", None, (f"metadata.url={value}",))
    assert not [secret for secret in ("s3cret", "7331") if secret in str(refused.value)]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for value, message in (
        ("env:NOT_SET_ANYWHERE", "the environment variable NOT_SET_ANYWHERE is not set"),
        (f"file:{tmp_path / 'none'}", "the file cannot be read: No such file or directory"),
        (f"file:{tmp_path}", "the file cannot be read: Is a directory"),
    ):
        with pytest.raises(UserError) as refused:
            metadata.connection(load(value))
        assert message in str(refused.value)


def test_a_stored_configuration_says_that_the_password_is_missing(tmp_path: Path) -> None:
    stored = tmp_path / "config.yaml"
    stored.write_text(yaml.safe_dump(load(URL).model_dump(mode="json")))
    with pytest.raises(UserError, match=r"its password was masked here \(\*\*\*\); give the whole URL with --set"):
        configs.load(None, str(stored))
    config, _ = configs.load(None, str(stored), (f"metadata.url={URL}",))
    assert metadata.connection(config).mysql.password == "s3cr@t"


@pytest.mark.parametrize("text", ["--set x mysql://a:b@c:d@host/db", "url: postgresql://:b@h/x", "mysql://a:b/c@h"])
def test_masked_is_never_too_little(text: str) -> None:
    assert server_url.masked(text).partition("***")[0].endswith(":")
    assert "b" not in server_url.masked(text).partition("***")[2].partition("@")[0]
