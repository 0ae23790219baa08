"""`vertex predict`: Google's own client asks a stand-in whose endpoints load exported models and answer by them."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import ROOT
from pipeline.platforms.vertex import predict as online
from tests.example_gen.factories import orientation, saved
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.endpoints import (
    LIMIT,
    WithEndpoints,
    as_tensorflow_serving,
    export_brightest,
    export_for_examples_alone,
)
from tests.pipeline.platforms.vertex.fakes import PROJECT, Fault, Refused, serving

PAGE = ROOT / "docs" / "vertex-serving.md"
pytestmark = pytest.mark.slow  # a model is exported and loaded
CLASSES = ("red", "green\x1b[2J", "blue")
ASK = r"^POST .*/endpoints/\d+:predict$"
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return export_brightest(tmp_path_factory.mktemp("models") / "1", CLASSES)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> Iterator[WithEndpoints]:
    from pipeline.platforms.vertex import cloud

    monkeypatch.setattr(cloud, "FIRST_WAIT", 0.01)
    standin = WithEndpoints()
    standin.serve("shapes", model)
    with serving(standin, tmp_path) as environment:
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        yield standin


@pytest.fixture
def ask(cloud: WithEndpoints, capfd: pytest.CaptureFixture[str]) -> Ask:
    """`image-pipeline vertex predict …` of the pipeline `shapes`."""
    from pipeline.cli import main

    def run(*words: str | Path) -> Answer:
        settings = ["--preset", "small", "--set", f"vertex.project={PROJECT}", "--set", "name=shapes"]
        code = main(["vertex", "predict", *map(str, words), *settings])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


def halves(upper: str, lower: str) -> Image.Image:
    image = Image.new("RGB", (16, 16), upper)
    image.paste(lower, (0, 8, 16, 16))
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images in several formats, one of them upside down as a phone writes it, and two that are damaged."""
    made = tmp_path / "folder"
    made.mkdir()
    png = saved(halves("red", "blue"), "PNG")
    for name, raw in {
        "a.png": png,
        "b.png": png[:60],
        "c.webp": saved(halves("blue", "red"), "WEBP", lossless=True),
        "d.jpg": saved(halves("red", "blue"), "JPEG", exif=orientation(3)),
        "e.tiff": saved(halves("lime", "blue"), "TIFF"),
        "f.png": b"",
    }.items():
        (made / name).write_bytes(raw)
    return made


def test_images_are_answered_as_by_the_local_command(
    ask: Ask, cloud: WithEndpoints, folder: Path, model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli import main

    answer = ask(folder)
    assert answer.code == 2  # two images have no answer
    assert [line.partition(" ")[0] for line in answer.out.splitlines()] == [
        f"{folder}/{name}:" for name in ("a.png", "c.webp", "d.jpg", "e.tiff")
    ]
    assert [line.split()[1] for line in answer.out.splitlines()] == ["red", "blue", "blue", r"green\x1b[2J"]
    assert answer.err.splitlines() == [
        "endpoint  shapes: projects/123456/locations/us-central1/endpoints/77",
        f"error: {folder}/b.png: damaged image: the file is truncated",
        f"error: {folder}/f.png: empty file",
        "answered  4 by shapes version 1, deployed model 77001",
    ]
    assert cloud.instances == [4]
    assert main(["predict", str(folder), "--model", model, "--preset", "small"]) == 2
    local = capfd.readouterr()
    assert local.out == answer.out
    assert [line for line in local.err.splitlines() if line.startswith("error")] == answer.err.splitlines()[1:3]


def test_json_names_the_model_that_answered(ask: Ask, cloud: WithEndpoints, folder: Path, model: str) -> None:
    """Also where an endpoint sends requests to two of them, and it is named by its number."""
    cloud.serve("other", model, model, number="8")
    versions = []
    for _ in range(2):
        answer = ask(folder / "a.png", "--json", "--endpoint", "8")
        assert (answer.code, answer.err) == (0, "")
        content = json.loads(answer.out)
        assert content["class"] == "red"
        assert content["probabilities"]["red"] > 0.9
        assert content["model"]["deployed_model"] == f"800{content['model']['version']}"
        versions.append(content["model"]["version"])
    assert versions == ["1", "2"]
    assert ask(folder / "a.png", "-q", "--endpoint", "projects/1/locations/us-central1/endpoints/8").err == ""


def test_a_table_is_written(ask: Ask, folder: Path, tmp_path: Path) -> None:
    answer = ask(folder, "--output", tmp_path / "made" / "t.csv")
    assert (answer.code, answer.out) == (2, "")
    assert f"table     {tmp_path}/made/t.csv: 6 images, 2 without an answer\n" in answer.err
    table = pd.read_csv(tmp_path / "made" / "t.csv").set_index("image")
    assert list(table.columns) == ["predicted", "confidence", "error", *CLASSES]
    assert table["predicted"].tolist()[0] == "red"
    assert table["error"][f"{folder}/f.png"] == "empty file"


def test_requests_stay_below_the_limit(ask: Ask, cloud: WithEndpoints, tmp_path: Path) -> None:
    """Noise is as large as its pixels: six images need six requests, and the one that fits in none is reduced."""
    noise = np.random.default_rng(0).integers(0, 256, (560, 560, 3), np.uint8)
    for name in "abcde":
        Image.fromarray(noise // 2).save(tmp_path / f"{name}.png")
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (1024, 1024, 3), np.uint8)).save(tmp_path / "f.png")
    answer = ask(*sorted(tmp_path.glob("?.png")))
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == 6
    assert len(cloud.sizes) == 6
    assert max(cloud.sizes) <= LIMIT
    assert "reduced   1, which were too large for a request of Vertex AI" in answer.err
    large = (tmp_path / "f.png").read_bytes()
    small = online.fitted(large)
    assert len(small) <= online.IMAGE_BYTES < len(large)
    assert online.fitted(small) is small


def test_what_the_model_refuses_is_told_of_one_image(ask: Ask, cloud: WithEndpoints, folder: Path) -> None:
    (folder / "b.png").unlink()
    (folder / "f.png").unlink()
    cloud.faults = [
        Fault(ASK, Refused(400, "assertion failed"), times=2)  # the request with all, and the first image alone
    ]
    answer = ask(folder)
    assert answer.code == 2
    assert len(answer.out.splitlines()) == 3
    assert answer.err.splitlines()[1] == f"error: {folder}/a.png: the endpoint refuses it: 400 assertion failed"


def test_a_model_that_takes_examples_alone(ask: Ask, cloud: WithEndpoints, folder: Path, tmp_path: Path) -> None:
    cloud.serve("old", export_for_examples_alone(tmp_path / "old"), number="9")
    Image.new("RGB", (9, 9)).save(folder / "g.jpg")
    for name in ("a.png", "g.jpg"):
        answer = ask(folder / name, "--endpoint", "old", "-q")
        assert (answer.code, answer.err) == (
            2,
            "error: the model of old takes serialized tf.Examples alone: it was exported before models took images in "
            "this request; train and deploy it again\n",
        )


@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        (Refused(403, "Permission 'aiplatform.endpoints.predict' denied"), 2, "shapes cannot be asked: 403 Permission"),
        (Refused(429, "Quota exceeded for online_prediction"), 1, "a quota is used up (429 Quota exceeded"),
        (Refused(503, "try again"), 1, "the endpoint shapes does not answer: 503 try again"),
        ("drop", 1, "the endpoint shapes does not answer: the connection to 127.0.0.1"),
    ],
)
def test_a_refusal_is_one_line(
    ask: Ask,
    cloud: WithEndpoints,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Refused | str,
    code: int,
    expected: str,
) -> None:
    monkeypatch.setattr(online, "PATIENCE", 0.2)
    cloud.faults = [Fault(ASK, fault, times=10**6)]
    answer = ask(folder / "a.png", "-q")
    assert answer.code == code
    assert answer.err.startswith("error: ")
    assert expected in answer.err
    assert answer.err.count("\n") == 1


def test_a_service_that_is_away_for_a_moment_is_asked_again(ask: Ask, cloud: WithEndpoints, folder: Path) -> None:
    cloud.faults = [Fault(ASK, Refused(503, "try again"), times=2), Fault(ASK, "lose")]
    answer = ask(folder / "a.png")
    assert answer.code == 0
    assert cloud.count(ASK) == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("--endpoint", "none"),
            "my-project has no endpoint none in us-central1; `gcloud ai endpoints list --region=us-central1` shows",
        ),
        (("--endpoint", "12"), "my-project has no endpoint 12 in us-central1"),
        (("--set", "name=squares"), "no endpoint squares in us-central1; a run with vertex.deploy.to: endpoint makes"),
        (("--endpoint", "empty"), "the endpoint empty has no deployed model; a run with vertex.deploy.to: endpoint"),
        (("--output", "t.xls"), "--output: t.xls: name a file that ends in .csv, .jsonl, .parquet"),
        (("--output", "s3://b/t.csv"), "cannot write to s3://; write to gs:// or to this machine"),
    ],
)
def test_a_mistake_is_one_line_and_no_image_is_sent(
    cloud: WithEndpoints, folder: Path, words: tuple[str, ...], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli import main

    cloud.serve("empty", number="5")
    settings = ("--preset", "small", "--set", f"vertex.project={PROJECT}")
    try:
        code = main(["vertex", "predict", str(folder / "a.png"), *settings, *words])
    except SystemExit as error:
        code = int(str(error.code))
    said = capfd.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert expected in said
    assert cloud.count(ASK) == 0


def test_the_bytes_are_an_image_whether_the_input_is_named_or_not(model: str) -> None:
    import tensorflow as tf

    loaded = tf.saved_model.load(model)
    image = {"b64": base64.b64encode(saved(halves("red", "blue"), "JPEG")).decode()}
    (answer,) = as_tensorflow_serving(loaded, [image])
    assert set(answer) == {"class_names", "probabilities", "class_index"}
    assert answer["class_names"][answer["class_index"]] == "red"
    assert as_tensorflow_serving(loaded, [{"examples": image}]) == [answer]
    with pytest.raises(Refused, match="neither a JPEG"):
        as_tensorflow_serving(loaded, [image, {"b64": base64.b64encode(b"RIFF....WEBP").decode()}])


def page_block(beginning: str) -> str:
    """A block of docs/vertex-serving.md, with what follows it after an empty line."""
    found = re.search(rf"\n\n(    {re.escape(beginning)}.*?)\n\n(?! )", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return textwrap.dedent(found[1])


def test_the_python_of_the_page(
    cloud: WithEndpoints, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from google.cloud import aiplatform

    settings = aiplatform.initializer.global_config
    for name, value in vars(settings).items():  # which are then put back
        monkeypatch.setattr(settings, name, value)
    cloud.serve("cifar10", model, number="8")
    halves("red", "blue").save(tmp_path / "image.jpg")
    monkeypatch.chdir(tmp_path)
    address = os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    here = functools.partial(aiplatform.init, api_endpoint=address, api_transport="rest")
    monkeypatch.setattr(aiplatform, "init", here)
    exec(page_block("import base64"), {})
    said = capfd.readouterr().out
    assert "'class_index': 0.0" in said
    assert said.endswith("} 8001 1\n")


def test_the_shell_of_the_page(cloud: WithEndpoints, tmp_path: Path) -> None:
    """Its lines make the request; what they would give to gcloud and curl is sent here."""
    import requests

    halves("red", "blue").save(tmp_path / "image.jpg")
    instead = (
        'gcloud() { echo 77; }; curl() { printf "%s\\n" "$@" > curl.txt; }; PROJECT=my-project; REGION=us-central1'
    )
    script = "\n".join(["set -eu", instead, page_block("ENDPOINT=$(gcloud")])
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    url, *_, body = (tmp_path / "curl.txt").read_text().splitlines()
    assert body == "@request.json"
    address = os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    url = url.replace("https://us-central1-aiplatform.googleapis.com", address)
    response = requests.post(url, json=json.loads((tmp_path / "request.json").read_text()), timeout=30)
    assert response.status_code == 200, response.text
    (prediction,) = response.json()["predictions"]
    assert prediction["class_names"][prediction["class_index"]] == "red"
