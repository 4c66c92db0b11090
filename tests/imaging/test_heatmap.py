from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from anomaly.errors import ConfigError, ImageError
from anomaly.imaging import BankPicture, measure_quality, render_heatmap
from anomaly.imaging._colours import (
    AMBER,
    BLUISH_GREEN,
    VERMILLION,
    colour_table,
    colourise,
    cover,
    draw_contour,
    ticks,
)
from anomaly.imaging._comparison import field_of_view
from anomaly.imaging._heatmap_words import (
    findings_words,
    footer_words,
    header_words,
    mark_words,
    picture_words,
    ratio_words,
)
from anomaly.imaging._lettering import drawable, fit, font, length, write
from anomaly.imaging.heatmap import _panels, _scene
from anomaly.scoring import find_regions
from anomaly.types import Float32Array, NearestPatch, PartVerdict, Prediction, Region, UInt8Array

WIDTH = 1448


def scene(
    height: int = 120,
    width: int = 160,
    *,
    spots: tuple[tuple[int, int, float], ...] = (),
    threshold: float | None = 1.2,
    path: str = "part.png",
) -> tuple[UInt8Array, Prediction]:
    """Grey picture and a prediction with square spots (x, y, value) of the map."""
    image = np.full((height, width, 3), 128, dtype=np.uint8)
    anomaly_map = np.full((height, width), 0.5, dtype=np.float32)
    for x, y, value in spots:
        anomaly_map[y : y + 10, x : x + 10] = value
    regions = () if threshold is None else find_regions(anomaly_map, threshold)
    prediction = Prediction(
        path=path,
        label=None if threshold is None else "damaged" if regions else "undamaged",
        score=float(anomaly_map.max()),
        threshold=threshold,
        anomaly_map=anomaly_map,
        regions=regions,
        nearest=tuple(NearestPatch("good.png", 1, 1, 0.7) for _ in range(max(1, len(regions)))),
        quality=measure_quality(image),
        calibration_version=None if threshold is None else 1,
    )
    return image, prediction


def bank(colour: tuple[int, int, int] = (20, 160, 40)) -> dict[str, BankPicture]:
    return {"good.png": BankPicture(np.full((30, 40, 3), colour, dtype=np.uint8), width=160, height=120)}


def count(picture: UInt8Array, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=-1).sum())


SPOTS = tuple((20 * i, 15 * i, 1.5 + 0.1 * i) for i in range(6))


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 5000), (5000, 1), (7, 3), (64, 64), (46, 113), (460, 1130), (900, 300)]
)
@pytest.mark.parametrize("threshold", [None, 0.1, 1.2, 99.0])
def test_every_size_gives_a_picture(height: int, width: int, threshold: float | None) -> None:
    image, prediction = scene(height, width, spots=((0, 0, 2.0),), threshold=threshold)
    picture = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (WIDTH, 3)
    assert 400 < picture.shape[0] < 1400


def test_regions_are_outlined_only_where_there_are_some() -> None:
    image, prediction = scene(spots=SPOTS[:2])
    with_regions = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    image, prediction = scene()
    without = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    assert count(with_regions, VERMILLION) > 1000
    assert count(without, VERMILLION) == 0


def test_one_pixel_region_of_a_large_image_is_visible() -> None:
    image, prediction = scene(1500, 1500)
    prediction.anomaly_map[700, 700] = 3.0
    regions = find_regions(prediction.anomaly_map, 1.2)
    prediction = dataclasses.replace(prediction, regions=regions, label="damaged")
    panels = np.asarray(_panels(_scene(image, prediction, 2.0)))
    assert count(panels[:, :602], VERMILLION) > 50
    assert count(panels[30:, 626:1228], (255, 255, 255)) > 0, "contour on the map"


def test_nearest_good_patch_is_shown_at_its_place() -> None:
    image, prediction = scene(spots=SPOTS[:1])
    thumbnail = np.zeros((30, 40, 3), dtype=np.uint8)
    thumbnail[:, 20:] = (10, 200, 30)  # the right half of the original
    good = {"good.png": BankPicture(thumbnail, width=160, height=120)}
    for x, green in ((20, False), (140, True)):
        nearest = (NearestPatch("good.png", x, 60, 0.7),)
        shown = render_heatmap(
            image, dataclasses.replace(prediction, nearest=nearest), scale_max=2.0, nearest_images=good
        )
        assert (count(shown, (10, 200, 30)) > 10_000) is green


def test_bank_picture_that_was_not_kept() -> None:
    image, prediction = scene(spots=SPOTS[:1])
    without = render_heatmap(image, prediction, scale_max=2.0, nearest_images={})
    with_picture = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    assert without.shape == with_picture.shape
    assert count(without, (20, 160, 40)) == 0
    assert count(with_picture, (20, 160, 40)) > 10_000


def test_same_value_has_the_same_colour_on_every_image() -> None:
    """The trap: a heatmap scaled per image makes good parts glow."""
    quiet = np.asarray(_panels(_scene(*scene(), 2.0)))
    loud = np.asarray(_panels(_scene(*scene(spots=((0, 0, 50.0),)), 2.0)))
    y, x = 300, 626 + 550  # far away from the spot
    np.testing.assert_array_equal(quiet[y, x], loud[y, x])


def test_inputs_are_left_alone_and_the_picture_is_reproducible() -> None:
    image, prediction = scene(spots=SPOTS)
    before = image.copy(), prediction.anomaly_map.copy()
    first = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    second = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(before[0], image)
    np.testing.assert_array_equal(before[1], prediction.anomaly_map)


def test_title_replaces_the_file_name() -> None:
    image, prediction = scene(path="some/folder/part.png")
    named = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    same = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank(), title="part.png")
    other = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank(), title="line 3")
    np.testing.assert_array_equal(named, same)
    assert (named != other).any()


def test_probability_and_hostile_names_do_not_break_the_header() -> None:
    image, prediction = scene(path="x" * 500 + "\n零件\x1b.png")
    prediction = dataclasses.replace(prediction, probability=0.9, probability_low=0.8, probability_high=0.95)
    assert render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank()).shape[1] == WIDTH


def test_what_is_to_be_reinspected_has_a_badge_and_a_contour_of_its_own() -> None:
    image, prediction = scene(spots=((30, 30, 1.1),))
    band = dataclasses.replace(
        prediction, label="reinspect", reinspect_above=1.0, regions=find_regions(prediction.anomaly_map, 1.0)
    )
    picture = render_heatmap(image, band, scale_max=2.0, nearest_images=bank())
    assert count(picture, AMBER) > 1000
    assert count(picture, VERMILLION) > 0
    assert count(render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank()), AMBER) == 0


def test_many_regions() -> None:
    spots = tuple((x, y, 2.0 + 0.001 * x + 0.01 * y) for x in range(0, 300, 15) for y in range(0, 200, 15))
    image, prediction = scene(200, 300, spots=spots)
    assert len(prediction.regions) > 200
    assert render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank()).shape[1] == WIDTH


def refused() -> tuple[UInt8Array, Prediction]:
    image, prediction = scene(spots=SPOTS)
    quality = dataclasses.replace(prediction.quality, warnings=("darker than ordinary (0.1, ordinary 0.4 to 0.6)",))
    return image, dataclasses.replace(prediction, label="not judged", quality=quality)


def test_a_picture_that_was_not_judged_says_why_and_has_no_regions() -> None:
    image, prediction = refused()
    picture = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank())
    assert count(picture, VERMILLION) == 0
    assert count(np.asarray(_panels(_scene(image, prediction, 2.0)))[30:, 626:1228], (255, 255, 255)) == 0, "contour"
    silent = dataclasses.replace(prediction, quality=dataclasses.replace(prediction.quality, warnings=()))
    without = render_heatmap(image, silent, scale_max=2.0, nearest_images=bank())
    assert picture.shape[0] == without.shape[0] + 26, "a line more"
    assert picture_words(prediction) == "picture: darker than ordinary (0.1, ordinary 0.4 to 0.6)"
    assert not any("above" in words for words in header_words(prediction, threshold_of="", suspicion=""))
    assert findings_words(prediction, cards=4).startswith("Not judged")


def test_many_warnings_get_the_lines_they_take() -> None:
    image, prediction = refused()
    heights = []
    for number in (1, 12):
        quality = dataclasses.replace(prediction.quality, warnings=prediction.quality.warnings * number)
        longer = dataclasses.replace(prediction, quality=quality)
        heights.append(render_heatmap(image, longer, scale_max=2.0, nearest_images=bank()).shape[0])
    assert heights[1] >= heights[0] + 2 * 26


def test_a_suspect_is_called_so_and_not_undamaged() -> None:
    image, prediction = scene()
    told = "score 0.924, limit 0.809 among the others; in the memory bank"
    assert header_words(prediction, threshold_of="", suspicion=told) == [told]
    picture = render_heatmap(image, prediction, scale_max=2.0, nearest_images=bank(), title="a.png", suspicion=told)
    assert count(picture, AMBER) > 1000
    assert count(picture, BLUISH_GREEN) == 0


def test_with_two_thresholds_it_is_said_which_one_is_drawn() -> None:
    _, prediction = scene(spots=((30, 30, 1.1),))
    band = dataclasses.replace(prediction, label="reinspect", reinspect_above=1.0)
    (told,) = [words for words in footer_words(band, scale_max=2.0, line=True, threshold_of="") if "white" in words]
    assert "the lower threshold, 1.00: above it" in told
    assert mark_words(band) == ("reinspect", "above ")
    assert findings_words(band, cards=4).startswith("Nothing above the lower threshold")
    ours = footer_words(prediction, scale_max=2.0, line=True, threshold_of="part type m8")
    assert "The white line and the mark beside the colours are the threshold of part type m8." in ours
    assert "threshold 1.20 of part type m8" in header_words(prediction, threshold_of="part type m8", suspicion="")[0]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1.028, "1.03 times"), (1.3, "1.3 times"), (12.34, "12 times"), (1.0001, "just above"), (1.002, "1.002 times")],
)
def test_a_ratio_has_digits_enough_to_be_apart_from_one(ratio: float, words: str) -> None:
    assert ratio_words(ratio) == words


def test_damage_that_no_part_shows_is_explained() -> None:
    part = PartVerdict(0, 0, 9, 9, 80, False, 0.4, "undamaged")
    _, prediction = scene(spots=SPOTS[:1])
    found = dataclasses.replace(prediction, parts=(part,) * 13)
    told = header_words(found, threshold_of="", suspicion="")[-1]
    assert told == "damage found by the picture as a whole, no single one of 13 parts stands out"
    one = dataclasses.replace(found, parts=(part, dataclasses.replace(part, label="damaged")))
    assert header_words(one, threshold_of="", suspicion="")[-1] == "1 of 2 parts damaged"


@pytest.mark.parametrize("scale_max", [0.0, -1.0, math.nan, math.inf])
def test_impossible_scale(scale_max: float) -> None:
    with pytest.raises(ConfigError, match="colour scale"):
        render_heatmap(*scene(), scale_max=scale_max, nearest_images={})


def test_map_of_another_image() -> None:
    image, prediction = scene()
    with pytest.raises(ImageError, match="predict this image again"):
        render_heatmap(image[:-1], prediction, scale_max=2.0, nearest_images={})


# ------------------------------------------------------------------------------------ colours and lettering


def test_colour_table_gets_steadily_brighter() -> None:
    luma = colour_table() @ np.array([0.2126, 0.7152, 0.0722])
    assert colour_table().shape == (256, 3)
    assert (np.diff(luma) > -0.5).all()
    assert luma[0] < 1 < 240 < luma[-1]


def test_values_beyond_the_scale_take_its_last_colour() -> None:
    values: Float32Array = np.array([[-1.0, 0.0, 2.0, 2.5, 1e30]], dtype=np.float32)
    first, zero, end, beyond, far = colourise(values, 2.0, np.full((1, 5), 128, dtype=np.uint8))[0].tolist()
    assert first == zero
    assert end == beyond == far
    assert zero != end


def test_cover_loses_no_pixel() -> None:
    mask = np.zeros((1000, 1000), dtype=bool)
    mask[333, 777] = True
    assert cover(mask, 100, 100).sum() >= 1
    assert not cover(np.zeros((1000, 1000), dtype=bool), 100, 100).any()


def test_contour_by_hand() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    drawn = draw_contour(np.full((9, 9, 3), 90, dtype=np.uint8), mask, (255, 255, 255))
    assert drawn[4, 4].tolist() == [90, 90, 90], "inside"
    assert drawn[1, 4].tolist() == drawn[2, 4].tolist() == [255, 255, 255], "line of two pixels"
    assert drawn[0, 4].tolist() == [30, 30, 30], "dark hairline"
    assert drawn[0, 0].tolist() == [90, 90, 90], "outside"


@pytest.mark.parametrize(
    ("scale_max", "expected"),
    [(2.4, [0, 0.5, 1, 1.5, 2]), (1.0, [0, 0.2, 0.4, 0.6, 0.8]), (0.05, [0, 0.01, 0.02, 0.03, 0.04])],
)
def test_ticks(scale_max: float, expected: list[float]) -> None:
    assert ticks(scale_max, 5) == pytest.approx(expected)


def test_lettering() -> None:
    assert drawable("part 1.png") == "part 1.png"
    latin = "".join(map(chr, (*range(0xA1, 0xAD), *range(0xAE, 0x100))))  # without the soft hyphen
    assert drawable(latin) == latin
    assert drawable("Schraube äöü — ß ø ž Ω Ж “€”") == "Schraube äöü — ß ø ž Ω Ж “€”"
    assert drawable("a\u0308") == "ä", "a name as macOS spells it"
    assert drawable("零\n") == "\\u96f6\\n"
    assert drawable("q\u0308") != drawable("q"), "no mark is left out"
    short = fit("a" * 300 + "_017.png", size=16, width=200)
    assert font(16).getlength(short) <= 200
    assert short.endswith("_017.png")
    assert "…" in short
    assert fit("short", size=16, width=200) == "short"


@pytest.mark.parametrize("anchor", ["la", "lm", "mm", "rm"])
def test_letters_of_both_fonts_stand_on_one_line(anchor: str) -> None:
    """The first letter of a text is where it is without the others, whatever font these take."""
    pages = []
    for text in ("oooo", "oöoo"):
        page = Image.new("L", (200, 60))
        written = write(ImageDraw.Draw(page), (100, 20), text, size=20, colour=255, anchor=anchor)
        assert written == length(text, 20) > 0
        pages.append(np.asarray(page))
    plain, marked = (np.flatnonzero(page.any(axis=1)) for page in pages)
    assert abs(int(plain[-1]) - int(marked[-1])) <= 1, "the same line"
    assert marked[0] < plain[0], "with the dots above"


def test_field_of_view_holds_the_region_but_not_the_image() -> None:
    region = Region(x=0, y=0, width=100, height=40, area_px=10, peak=1.0, peak_x=0, peak_y=0)
    assert field_of_view(region, 1000, 1000) == 160
    assert field_of_view(None, 1000, 1000) == 160
    assert field_of_view(dataclasses.replace(region, width=900), 1000, 1000) == 600
    assert field_of_view(None, 1, 1) == 1
    assert field_of_view(None, 30, 40) == 40
