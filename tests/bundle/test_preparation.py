"""Pictures and sentences become rows as the manifest says, and what cannot is said in one line."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ascribe.bundle.preparation import image, prepared, sentence
from ascribe.core.errors import InputError
from ascribe.core.layout import Layout

COLOURS, GREY = Layout("image", (4, 6, 3)), Layout("image", (4, 6, 1))
WORDS = Layout("text", (5,), padding=0, words=("<PAD>", "<START>", "<UNKNOWN>", "good", "film"))
TOLD = {"start": "<START>", "unknown": "<UNKNOWN>"}


def file(picture: Image.Image, kind: str = "PNG", **more) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **more)
    return held.getvalue()


def stripes(height: int = 4, width: int = 6) -> np.ndarray:
    """Red grows to the right, green downwards, blue stands still."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), np.full_like(x, 70)], axis=2).astype(np.uint8)


def test_an_array_of_the_models_size_stays_what_it_is():
    pixels = stripes()
    for given in (pixels, pixels.reshape(-1), Image.fromarray(pixels), file(Image.fromarray(pixels))):
        assert (image(COLOURS, {}, given) == pixels.reshape(-1)).all()


def test_a_larger_one_keeps_its_sides_and_its_middle():
    """8 x 18: half of it is 4 x 9, of which 1.5 columns go on each side."""
    row = image(COLOURS, {}, stripes(8, 18)).reshape(4, 6, 3)
    red, green, blue = (row[..., k] for k in range(3))
    assert (np.diff(red, axis=1) > 0).all() and (np.diff(green, axis=0) > 0).all() and (blue == 70).all()
    assert red[0, 0] > 20 and red[0, -1] < 235  # the ends are cut away
    closer = image(COLOURS, {"resize": 8}, stripes(8, 18)).reshape(4, 6, 3)
    assert (closer == stripes(8, 18)[2:6, 6:12]).all()


def test_grey_and_colours_become_each_other():
    grey = stripes()[:, :, :1]
    assert (image(COLOURS, {}, grey).reshape(4, 6, 3) == grey).all()
    assert (image(GREY, {}, np.repeat(grey, 3, axis=2)).reshape(4, 6, 1) == grey).all()


def test_a_camera_that_was_held_upright_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    tall = Image.fromarray(np.ascontiguousarray(np.rot90(stripes(), 1)))
    turned = image(COLOURS, {}, file(tall, exif=exif)).reshape(4, 6, 3)
    assert (turned == stripes()).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.full((9, 9, 3), 256.0), r"0 \.\.\. 255: got \(9, 9, 3\)"),
        (np.full((9, 9, 3), -1.0), r"0 \.\.\. 255"),
        (np.zeros((2, 9, 9, 3)), r"got \(2, 9, 9, 3\)"),
        (np.zeros((9, 9, 7)), r"got \(9, 9, 7\)"),
        (b"no picture", "the bytes cannot be read as a picture"),
        (file(Image.fromarray(stripes(40, 40)))[:-60], "the bytes cannot be read as a picture"),
        ("nowhere.png", "there is no picture nowhere.png"),
    ],
    ids=["above", "below", "four axes", "seven channels", "text", "cut off", "missing"],
)
def test_what_is_no_picture(given, message):
    with pytest.raises(InputError, match=message):
        image(COLOURS, {}, given)


def test_a_picture_of_too_many_pixels_is_not_opened(monkeypatch):
    raw = file(Image.fromarray(stripes(40, 40)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match="make it smaller"):
        image(COLOURS, {}, raw)


def test_a_sentence_is_numbered_cut_and_padded():
    assert sentence(WORDS, TOLD, "Good FILM!").tolist() == [1, 3, 4, 0, 0]
    assert sentence(WORDS, TOLD, "a good good good film film").tolist() == [1, 2, 3, 3, 3]
    assert sentence(WORDS, {}, "film").tolist() == [4, 0, 0, 0, 0]
    with pytest.raises(InputError, match="'bad' is not in the vocabulary"):
        sentence(WORDS, {}, "bad film")


def test_one_or_several_and_numbers_as_they_are():
    assert prepared(WORDS, TOLD, "good").shape == (1, 5)
    assert prepared(WORDS, TOLD, ["good", "film"]).shape == (2, 5)
    assert prepared(COLOURS, {}, [stripes(), file(Image.fromarray(stripes()))]).shape == (2, 72)
    assert (prepared(WORDS, TOLD, np.arange(5)) == [[0, 1, 2, 3, 4]]).all()
    with pytest.raises(InputError, match="rows of this model are sentences, or numbers"):
        prepared(WORDS, TOLD, ["good", 3])
    with pytest.raises(InputError, match=r"a row of this model is image \(4, 6, 3\)"):
        prepared(COLOURS, {}, np.zeros((2, 5)))
