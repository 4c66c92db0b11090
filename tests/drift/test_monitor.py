from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from anomaly.capture import CaptureReference
from anomaly.capture.fit import fit_reference
from anomaly.drift import CAUSES, monitor, usual_share
from anomaly.drift.chart import draw_chart, ordinary_range, shown_streams, shown_values
from anomaly.drift.streams import STREAMS, stream_words, weights
from anomaly.errors import ConfigError
from anomaly.types import CaptureSample
from tests.capture.samples import draw_sample, draw_samples


@pytest.fixture(scope="module")
def reference() -> CaptureReference:
    return fit_reference(draw_samples(0, 80), false_alarm_rate=0.01)


def shifted(cause: str, random: np.random.Generator) -> CaptureSample:
    if cause == "light":
        return draw_sample(random, brightness=0.15, contrast=0.06, log_sharpness=0.5)
    if cause == "focus":
        return draw_sample(random, log_sharpness=-1.2)
    if cause == "part":
        return draw_sample(random, embedding=5.0, log_typical=0.8, brightness=-0.05)
    if cause == "tray":
        sample = draw_sample(random)
        sample.strangeness[3, 0] *= 2
        return sample
    return draw_sample(random)


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_each_cause_is_noticed_within_50_pictures_and_named(reference: CaptureReference, cause: str) -> None:
    right = 0
    for seed in range(4):
        random = np.random.default_rng(seed)
        pictures = [draw_sample(random) for _ in range(25)] + [shifted(cause, random) for _ in range(50)]
        flagged = [False] * 25 + [cause == "damage" and random.random() < 0.4 for _ in range(50)]
        report = monitor(reference, pictures, flagged=flagged)
        assert report.alarm is not None
        assert report.alarm >= 25
        assert report.cause is not None
        right += report.cause.name == cause
    assert right >= 3


def test_ordinary_pictures_and_a_steady_share_of_damage_raise_nothing(reference: CaptureReference) -> None:
    random = np.random.default_rng(3)
    for share in (0.0, 0.05):
        pictures = [draw_sample(random) for _ in range(300)]
        report = monitor(reference, pictures, flagged=[random.random() < share for _ in pictures])
        assert (report.alarm, report.start, report.cause) == (None, None, None)
        assert np.isfinite(report.evidence).all()


def test_the_answer_is_the_same_every_time_and_stands_with_more_pictures(reference: CaptureReference) -> None:
    random = np.random.default_rng(4)
    pictures = [draw_sample(random) for _ in range(20)] + [shifted("light", random) for _ in range(50)]
    first, again, shorter = (
        monitor(reference, pictures),
        monitor(reference, pictures),
        monitor(reference, pictures[:60]),
    )
    assert (first.alarm, first.start, first.cause) == (again.alarm, again.start, again.cause)
    assert shorter.alarm == first.alarm


def test_weights_are_shared_by_the_causes() -> None:
    assert weights().sum() == pytest.approx(1.0)
    by_cause = {cause: sum(w for (c, _), w in zip(STREAMS, weights(), strict=True) if c == cause) for cause in CAUSES}
    assert all(weight == pytest.approx(0.2) for weight in by_cause.values())


@pytest.mark.parametrize("cause", ["none", "tray"])
def test_the_chart_is_a_picture(reference: CaptureReference, cause: str) -> None:
    random = np.random.default_rng(5)
    pictures = [shifted(cause, random) if cause != "none" else draw_sample(random) for _ in range(40)]
    report = monitor(reference, pictures)
    with Image.open(io.BytesIO(draw_chart(report, reference))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_the_usual_share_follows_from_the_validation_images() -> None:
    assert usual_share(false_alarms=0, n_undamaged=100) == 0.05
    assert usual_share(false_alarms=5, n_undamaged=38) == 0.15


@pytest.mark.parametrize("usual", [1.0, 0, math.nan, "0.1", True])
def test_an_impossible_share_is_refused(reference: CaptureReference, usual: float) -> None:
    with pytest.raises(ConfigError, match="usual share"):
        monitor(reference, [], usual=usual)


@pytest.mark.parametrize("alarm_every", [0, 1, math.nan, math.inf, "often"])
def test_alarms_that_never_or_always_come_are_refused(reference: CaptureReference, alarm_every: float) -> None:
    with pytest.raises(ConfigError, match="a false alarm every"):
        monitor(reference, [], alarm_every=alarm_every)


def test_there_is_a_mark_for_each_picture_or_for_none(reference: CaptureReference) -> None:
    with pytest.raises(ConfigError, match="a mark for each of 2 pictures, got 1"):
        monitor(reference, reference.samples[:2], flagged=[True])


# --- which cause is named ---------------------------------------------------------------------------------------------


def of_two_types(random: np.random.Generator, sharp: bool) -> CaptureSample:
    return draw_sample(random, log_sharpness=1.5 if sharp else 0.0)


def test_damage_of_one_of_two_part_types_is_no_fault_of_the_focus() -> None:
    random = np.random.default_rng(11)
    mixed = fit_reference([of_two_types(random, i % 3 == 0) for i in range(60)], false_alarm_rate=0.01)
    named = []
    for _ in range(10):
        pictures = [of_two_types(random, i % 3 == 0) for i in range(30)]
        pictures += [of_two_types(random, i % 10 != 0) for i in range(24)]
        report = monitor(mixed, pictures, flagged=[False] * 30 + [True] * 24)
        assert report.cause is not None
        assert report.stream == "share of flagged pictures"
        named.append((report.cause.name, report.also))
    assert named == [("damage", None)] * 10


@pytest.mark.parametrize("flagged", [False, True])
def test_where_the_flags_alone_gave_the_alarm_damage_is_as_possible(reference: CaptureReference, flagged: bool) -> None:
    random = np.random.default_rng(12)
    pictures = [draw_sample(random) for _ in range(30)] + [draw_sample(random, log_sharpness=-1.2) for _ in range(20)]
    report = monitor(reference, pictures, flagged=[False] * 30 + [flagged] * 20)
    assert report.cause == CAUSES["focus"]
    assert report.also == (CAUSES["damage"] if flagged else None)
    assert not any("not to blame" in cause.advice for cause in CAUSES.values())


def test_no_exposure_makes_pictures_brighter_and_flatter_at_once(reference: CaptureReference) -> None:
    random = np.random.default_rng(13)
    moved = {"brightness": 0.05, "contrast": -0.13, "log_typical": 0.4}
    pictures = [draw_sample(random) for _ in range(30)] + [draw_sample(random, **moved) for _ in range(20)]
    assert monitor(reference, pictures).cause == CAUSES["part"]


def test_a_slight_change_of_light_is_no_damage(reference: CaptureReference) -> None:
    random = np.random.default_rng(14)
    pictures = [draw_sample(random) for _ in range(30)] + [draw_sample(random, brightness=-0.026) for _ in range(300)]
    report = monitor(reference, pictures)
    assert report.stream == "brightness down"
    assert report.cause == CAUSES["light"]


# --- what people read -------------------------------------------------------------------------------------------------


def test_every_stream_has_a_name_for_people() -> None:
    told = [stream_words(name) for _, name in STREAMS]
    assert len(set(told)) == len(STREAMS)
    assert not any("_" in words or "log" in words or "novelty" in words for words in told)
    assert stream_words("contrast down") == "contrast, lower than in training"
    assert "row 4 from the top and column 1 from the left" in stream_words("strangeness of cell 4,1")


def test_the_chart_shows_the_value_and_not_its_negative(
    reference: CaptureReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    drawn: dict[str, list[float]] = {}
    label = Axes.set_ylabel

    def remember(axes: Axes, words: str) -> object:
        if axes.lines:
            drawn[words] = [float(y) for y in axes.lines[0].get_ydata()]
        return label(axes, words)

    monkeypatch.setattr(Axes, "set_ylabel", remember)
    random = np.random.default_rng(15)
    pictures = [draw_sample(random) for _ in range(30)] + [draw_sample(random, contrast=-0.12) for _ in range(20)]
    report = monitor(reference, pictures)
    assert report.stream == "contrast down"
    draw_chart(report, reference)
    assert drawn["contrast"] == pytest.approx([picture.measures["contrast"] for picture in pictures])
    assert not any("_" in words for words in drawn)


def test_the_chart_shows_no_value_twice(reference: CaptureReference) -> None:
    random = np.random.default_rng(16)
    pictures = [draw_sample(random) for _ in range(30)] + [draw_sample(random, brightness=-0.2) for _ in range(20)]
    report = monitor(reference, pictures)
    assert report.stream == "brightness down"
    assert "brightness down" not in shown_streams(report)


def test_the_chart_calls_ordinary_what_a_prediction_does(reference: CaptureReference) -> None:
    report = monitor(reference, [draw_sample(np.random.default_rng(17)) for _ in range(3)])
    assert ordinary_range(report, reference, "brightness down") == reference.ordinary("brightness")
    assert ordinary_range(report, reference, "log_sharpness up") == reference.ordinary("log_sharpness")
    assert ordinary_range(report, reference, "log_novelty up") == (0.0, reference.ordinary("log_novelty")[1])
    low, high = ordinary_range(report, reference, "strangeness of cell 1,1")
    assert 0 < low < 1 < high


def test_the_chart_shows_no_logarithms(reference: CaptureReference) -> None:
    pictures = [draw_sample(np.random.default_rng(18)) for _ in range(3)]
    report = monitor(reference, pictures)
    sharpness = [math.exp(picture.measures["log_sharpness"]) for picture in pictures]
    assert shown_values(report, "log_sharpness up") == pytest.approx(sharpness)
    assert shown_values(report, "log_sharpness down") == pytest.approx(sharpness)


@pytest.mark.parametrize("pictures", [1, 3, 40])
def test_the_chart_says_what_its_lines_are(
    reference: CaptureReference, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *args, **named: drawn.append(figure) or save(figure, *args, **named)
    )
    random = np.random.default_rng(19)
    shifts = [0.0] * min(pictures, 10) + [0.2] * (pictures - 10)
    report = monitor(reference, [draw_sample(random, brightness=shift) for shift in shifts])
    draw_chart(report, reference, title="bs, journal $j$ 部.sqlite")
    (figure,) = drawn
    first, *_, last = figure.axes
    assert first.get_title().startswith("bs, journal $j$ \\u90e8.sqlite\n")
    assert ("no change found so far (" in first.get_title()) == (report.alarm is None)
    words = [text.get_text() for text in first.texts]
    assert "alarm at 10,000" in words
    assert any(text.startswith("nothing is reckoned after") for text in words) == (report.alarm is not None)
    assert last.get_ylim() == (0, 100)
    assert all(tick == int(tick) for tick in last.get_xticks())
    assert ("upright orange line" in last.get_xlabel()) == (report.start is not None)
    assert "red:" not in last.get_xlabel()
