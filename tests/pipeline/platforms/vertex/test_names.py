"""The name of a pipeline on Vertex AI: legal there, the same every time, and of no other data set."""

from __future__ import annotations

import re

import pytest

from components.example_gen import sources
from pipeline import config as configs
from pipeline.platforms.vertex import names


def pipeline(name: str) -> str:
    return names.pipeline(configs.load("digits", None, (f"name={name}",))[0])


@pytest.mark.parametrize("name", ["digits", "my-photos", "2026-a", "a" * 128])
def test_a_name_that_google_takes_is_kept(name: str) -> None:
    assert pipeline(name) == name


def test_names_that_google_would_have_as_one_stay_apart() -> None:
    given = ["my-photos", "My-Photos", "my_photos", "my.photos", "my-photos-", "A", "A-", "a" * 129, "a" * 130]
    made = [pipeline(name) for name in given]
    assert len(set(made)) == len(given)
    assert all(re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", name) for name in made)
    assert pipeline("My-Photos") == "my-photos-" + made[1][-8:]


def test_folders_named_in_other_scripts_stay_apart() -> None:
    folders = ["фотографии", "写真", "写真2", "Ünïcode", "Unicode", "Unïcode", "!!"]
    made = [pipeline(sources.locate(f"gs://bucket/{folder}/", "").name) for folder in folders]
    assert len(set(made)) == len(folders)
    assert all(re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", name) for name in made)
