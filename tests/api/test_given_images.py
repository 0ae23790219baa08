"""What `predict` takes in Python: each kind is read to the pixels of the same image in a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import image_pipeline as ip
from components.example_gen.rejected import Rejected
from image_pipeline import given_images
from pipeline.prediction.reading import Limits
from tests.example_gen.factories import orientation, saved

LIMITS = Limits(max_bytes=20_000, max_pixels=400 * 400, max_side=200)
PIXELS = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
GREY = PIXELS[..., 0]


def encoded(given: Any, limits: Limits = LIMITS) -> list[bytes]:
    return [read(limits) for _, read in given_images.read(given).images]


def decoded(given: Any, limits: Limits = LIMITS) -> list[np.ndarray]:
    return [tf.io.decode_image(image, channels=3).numpy() for image in encoded(given, limits)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (PIXELS, [PIXELS]),
        (np.asfortranarray(PIXELS)[::-1], [PIXELS[::-1]]),
        (GREY, [np.stack([GREY] * 3, axis=-1)]),
        (np.stack([PIXELS, PIXELS[::-1]]), [PIXELS, PIXELS[::-1]]),
        (tf.constant(PIXELS), [PIXELS]),
        (Image.fromarray(PIXELS), [PIXELS]),
        (Image.fromarray(GREY), [np.stack([GREY] * 3, axis=-1)]),
        (saved(Image.fromarray(PIXELS), "PNG"), [PIXELS]),
        (bytearray(saved(Image.fromarray(PIXELS), "PNG")), [PIXELS]),
        (saved(Image.fromarray(PIXELS), "WEBP", lossless=True), [PIXELS]),
        ([PIXELS, Image.fromarray(PIXELS[:9])], [PIXELS, PIXELS[:9]]),
        ([np.stack([PIXELS, PIXELS]), PIXELS[:9]], [PIXELS, PIXELS, PIXELS[:9]]),
        (ip.Item("a.png", "cat", encoded=saved(Image.fromarray(PIXELS), "PNG")), [PIXELS]),
        (np.zeros([0, 20, 30, 3], np.uint8), []),
        ([], []),
    ],
)
def test_every_kind_has_its_pixels(given: Any, expected: list[np.ndarray]) -> None:
    found = decoded(given)
    assert len(found) == len(expected)
    assert all(np.array_equal(*pair) for pair in zip(found, expected))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_each_mode_of_pillow_is_as_its_file(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(GREY.astype(np.uint16) * 256 + 7)
    else:
        image = Image.fromarray(PIXELS).convert(mode)
        if mode in ("RGBA", "LA"):
            image.putalpha(Image.fromarray(GREY))
    raw = saved(image, "TIFF" if mode == "CMYK" else "PNG")
    assert np.array_equal(decoded(image)[0], decoded(raw)[0])


@pytest.mark.parametrize("number", range(1, 9))
def test_a_pil_image_is_turned_upright(number: int) -> None:
    raw = saved(Image.fromarray(PIXELS), "PNG", exif=orientation(number))
    with Image.open(io.BytesIO(raw)) as image:
        assert np.array_equal(decoded(image)[0], decoded(raw)[0])


@pytest.mark.parametrize("pixels", [PIXELS.repeat(12, axis=0).repeat(12, axis=1), GREY.repeat(12, axis=0)])
def test_a_large_array_is_reduced_as_its_file(pixels: np.ndarray) -> None:
    """The limit of a file's bytes is no matter of pixels that come without one."""
    assert pixels.nbytes > 7_000
    raw = saved(Image.fromarray(pixels), "PNG")
    limits = LIMITS._replace(max_bytes=len(raw))
    assert encoded(pixels, LIMITS._replace(max_bytes=1)) == encoded(raw, limits)
    assert encoded(Image.fromarray(pixels), LIMITS._replace(max_bytes=1)) == encoded(raw, limits)
    assert max(decoded(pixels)[0].shape) == 200


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "empty file"),
        (b"x" * 20_001, r"over the limit of 20,000 bytes \(data.max_bytes\)"),
        (b"no image", "not an image"),
        (np.zeros([0, 9, 3], np.uint8), "no pixels: 9 x 0"),
        (np.zeros([500, 400], np.uint8), r"400 x 500 is over the limit of 160,000 pixels \(data.max_pixels\)"),
        (Image.new("L", (400, 500)), r"400 x 500 is over the limit of 160,000 pixels \(data.max_pixels\)"),
        (Image.new("RGB", (0, 5)), "no pixels: 0 x 5"),
        (Image.new("F", (5, 5)), "32-bit numbers of unknown range"),
        (Image.open(io.BytesIO(saved(Image.fromarray(PIXELS), "JPEG")[:-400])), "damaged image: "),
    ],
)
def test_what_cannot_be_read_says_why(given: Any, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        encoded(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (PIXELS / 255, 'of float64: give uint8 from 0 to 255, as (x * 255).round().astype("uint8")'),
        (PIXELS.astype("float32"), 'of float32: give uint8 from 0 to 255, as x.round().astype("uint8")'),
        (PIXELS / 127.5 - 1, "of float64: give uint8 from 0 to 255; it has values from -1 to 1"),
        (np.full([2, 2], np.nan), "of float64: give uint8 from 0 to 255; it has values that are not finite"),
        (PIXELS.astype("int64"), 'of int64: give uint8 from 0 to 255, as x.astype("uint8")'),
        (GREY > 127, 'of bool: give uint8 from 0 to 255, as x.astype("uint8") * 255'),
        (np.array([["a"]]), "of <U1: give uint8 from 0 to 255"),
        (PIXELS[..., :1], "of shape [20, 30, 1]: give [H, W, 3], [H, W] or [N, H, W, 3], as x.repeat(3, axis=-1)"),
        (
            np.zeros([20, 30, 4], np.uint8),
            "of shape [20, 30, 4]: give [H, W, 3], [H, W] or [N, H, W, 3], as x[..., :3]",
        ),
        (PIXELS.transpose(2, 0, 1), "[3, 20, 30]: give [H, W, 3], [H, W] or [N, H, W, 3], as x.transpose(1, 2, 0)"),
        (np.zeros([5, 3, 20, 30], np.uint8), "[H, W] or [N, H, W, 3], as x.transpose(0, 2, 3, 1)"),
        (np.zeros([5, 28, 28], np.uint8), "[N, H, W, 3]; of grey images as x[..., None].repeat(3, axis=-1)"),
        (np.zeros(5, np.uint8), "cannot predict an array of shape [5]: give [H, W, 3], [H, W] or [N, H, W, 3]"),
        (np.uint8(5), "cannot predict an array of shape []: give [H, W, 3], [H, W] or [N, H, W, 3]"),
        (5, "cannot predict 5: give the path of an image or folder, a uint8 array"),
        (None, "cannot predict None: give the path of an image or folder, a uint8 array"),
        ({"a": 1}, "cannot predict an object of dict: give the path"),
        ([[1, 2], [3, 4]], "cannot predict an object of list: give the path"),
        ("nowhere.png", "nowhere.png: no such file or folder"),
        ("x" * 5000, "xxx: no such file or folder"),
        ("a\0b", "a\\x00b: no such file or folder"),
    ],
)
def test_refused_in_one_line_that_says_what_to_do(given: Any, message: str) -> None:
    for each in (given, [given]) if not isinstance(given, list) else (given,):
        with pytest.raises(ip.UserError) as caught:
            given_images.read(each)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    for name in ("c.png", "b/a.png", "Thumbs.db"):
        (folder / name).write_bytes(saved(Image.fromarray(PIXELS), "PNG"))

    def paths(given: Any) -> tuple[list[str | None], bool]:
        images, alone = given_images.read(given)
        return [path for path, _ in images], alone

    files = [f"{folder}/b/a.png", f"{folder}/c.png"]
    assert paths(folder) == paths(f"{folder}/") == paths([folder]) == (files, False)
    assert paths(files[0]) == ([files[0]], True)
    assert paths([files[0]]) == ([files[0]], False)
    assert paths([files[1], PIXELS]) == ([files[1], None], False)
    for column in (pd.Series(files, index=[3, 4]), np.array(files), pd.DataFrame({"path": files})["path"]):
        assert paths(column) == (files, False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    assert paths("~/photos") == (files, False)
    for name in ("c.png", "./c.png", "~/photos/c.png", Path("c.png")):
        assert paths(name) == ([str(name)], True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ip.UserError, match="empty: the folder holds no image"):
        paths(tmp_path / "empty")
