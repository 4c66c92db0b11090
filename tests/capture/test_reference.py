from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomaly.capture import CaptureReference, CaptureVerdict
from anomaly.capture.files import read_reference, reference_from_files, reference_to_files, write_learnt
from anomaly.capture.fit import fit_reference
from anomaly.types import CaptureSample
from tests.capture.samples import CHANGE, QUALITY, draw_sample, draw_samples, planted_in


@pytest.fixture(scope="module")
def reference() -> CaptureReference:
    return fit_reference(draw_samples(0, 60), false_alarm_rate=0.01)


@pytest.mark.parametrize(
    ("shifts", "words"),
    [
        ({"brightness": -0.3}, "darker"),
        ({"brightness": 0.3}, "brighter"),
        ({"contrast": -0.15}, "less contrast"),
        ({"log_sharpness": -2.0}, "out of focus"),
        ({"log_sharpness": 2.0}, "sharper or noisier"),
        ({"clipped_bright": 0.1}, "over-exposed"),
        ({"clipped_dark": 0.1}, "under-exposed"),
        ({"log_area": -1.4}, "other size (640x480 px)"),
        ({"log_aspect": 0.3}, "other shape"),
        ({"log_typical": 0.8}, "nearly everywhere"),
        ({"log_wide": 1.0}, "a large part"),
        ({"embedding": 6.0}, "unlike every training image"),
    ],
)
def test_each_fault_is_named(reference: CaptureReference, shifts: dict[str, float], words: str) -> None:
    sample = draw_sample(np.random.default_rng(3), **shifts)
    found = reference.judge(sample, QUALITY, refuse_at=2.0)
    assert len(found.warnings) == 1
    assert words in found.warnings[0]


def test_what_only_counts_upwards(reference: CaptureReference) -> None:
    sample = draw_sample(np.random.default_rng(3), log_typical=-3.0, log_wide=-3.0)
    assert not reference.judge(sample, QUALITY, refuse_at=2.0).warnings


def test_what_is_beyond_a_limit_does_not_read_like_the_limit(reference: CaptureReference) -> None:
    low, _ = reference.ordinary("contrast")
    value = low - 1e-5
    sample = draw_sample(np.random.default_rng(3))
    sample = replace(sample, measures={**sample.measures, "contrast": value})
    (words,) = reference.judge(sample, replace(QUALITY, contrast=value), refuse_at=2.0).warnings
    said, lowest = re.findall(r"[(]([0-9.]+), ordinary ([0-9.]+) to", words)[0]
    assert float(said) < float(lowest)


def test_the_further_out_the_surer(reference: CaptureReference) -> None:
    shifts = (0.0, -0.05, -0.15, -0.25, -0.4)
    samples = [draw_sample(np.random.default_rng(3), brightness=shift) for shift in shifts]
    found = [reference.judge(sample, QUALITY, refuse_at=2.0) for sample in samples]
    steps = [(bool(verdict.warnings), verdict.refused) for verdict in found]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == ((False, False), (True, True))
    assert (True, False) in steps


def test_neither_size_nor_large_damage_is_refused(reference: CaptureReference) -> None:
    for shifts in ({"log_area": -3.0}, {"log_aspect": 1.0}, {"log_wide": 2.0}):
        found = reference.judge(draw_sample(np.random.default_rng(3), **shifts), QUALITY, refuse_at=2.0)
        assert found.warnings
        assert not found.refused


def test_strange_everywhere_counts_sooner_in_a_picture_out_of_focus(reference: CaptureReference) -> None:
    sharp = draw_sample(np.random.default_rng(3), log_typical=0.4, score=3.0)
    blurred = draw_sample(np.random.default_rng(3), log_typical=0.4, log_sharpness=-4.0)
    elsewhere = draw_sample(np.random.default_rng(3), log_typical=0.7, score=1.0)
    found = [reference.judge(sample, QUALITY, refuse_at=2.0).everywhere for sample in (sharp, blurred, elsewhere)]
    assert found == [False, True, True]


def learn(reference: CaptureReference, *samples: CaptureSample) -> CaptureReference:
    return replace(reference, learnt={str(number): sample for number, sample in enumerate(samples)})


def test_beside_a_learnt_picture_others_are_ordinary_that_differ_in_the_same_way(reference: CaptureReference) -> None:
    shifts = {"brightness": -0.3, "log_sharpness": -2.0, "embedding": 6.0}
    wider = learn(reference, draw_sample(np.random.default_rng(3), **shifts))
    alike = draw_sample(np.random.default_rng(4), **shifts)
    assert reference.judge(alike, QUALITY, refuse_at=2.0).refused
    assert wider.judge(alike, QUALITY, refuse_at=2.0) == CaptureVerdict((), refused=False, everywhere=False)
    for odd in ({"brightness": 0.3}, {**shifts, "log_sharpness": 2.0}, {"embedding": -6.0}, {"log_typical": 0.8}):
        sample = draw_sample(np.random.default_rng(4), **odd)
        assert wider.judge(sample, QUALITY, refuse_at=2.0).refused


def test_a_learnt_picture_is_free_of_its_own_fault() -> None:
    samples = draw_samples(0, 60)
    reference = fit_reference(samples, false_alarm_rate=0.01, planted=planted_in(samples))
    faulty = replace(samples[8], embedding=(samples[8].embedding + CHANGE).astype(np.float32))
    assert reference.judge(faulty, QUALITY, refuse_at=2.0).warnings
    assert not learn(reference, faulty).judge(faulty, QUALITY, refuse_at=2.0).warnings


def test_learning_makes_no_picture_odder(reference: CaptureReference) -> None:
    random = np.random.default_rng(5)
    names = ("brightness", "log_area", "log_wide", "log_typical", "embedding")
    steps = dict(zip(names, (0.3, 2.0, 1.0, 0.8, 6.0), strict=True))
    drawn = [draw_sample(random, **{n: steps[n] * float(random.normal()) for n in names}) for _ in range(60)]
    wider = learn(reference, *drawn[:4])
    for sample in (*drawn, *draw_samples(6, 20)):
        before, after = (one.judge(sample, QUALITY, refuse_at=2.0) for one in (reference, wider))
        assert (after.refused, after.everywhere) <= (before.refused, before.everywhere)
        assert before.refused or len(after.warnings) <= len(before.warnings)


def test_the_words_say_what_is_ordinary_beside_the_learnt_picture(reference: CaptureReference) -> None:
    wider = learn(reference, draw_sample(np.random.default_rng(3), brightness=-0.3))
    darker = draw_sample(np.random.default_rng(3), brightness=-0.3 - 1.5 * (0.5 - reference.ordinary("brightness")[0]))
    (told,) = wider.judge(darker, QUALITY, refuse_at=2.0).warnings
    low, high = (float(word.rstrip(")")) for word in told.split(", ordinary ")[1].split(" to "))
    assert low < wider.learnt["0"].measures["brightness"] < high < 0.5


def test_what_was_learnt_is_kept_beside_the_bank_exactly(reference: CaptureReference, tmp_path: Path) -> None:
    own = {f"capture/{name}": content for name, content in reference_to_files(reference).items()}
    write_learnt(reference, tmp_path)
    assert not list(tmp_path.iterdir())
    wider = learn(reference, *draw_samples(9, 2))
    write_learnt(wider, tmp_path)
    files = {**own, "bank/learnt.json": (tmp_path / "learnt.json").read_bytes()}
    read = read_reference(files, folder="capture", bank="bank")
    assert read is not None
    assert list(read.learnt) == list(wider.learnt)
    for sample, again in zip(wider.learnt.values(), read.learnt.values(), strict=True):
        assert (again.measures, again.score) == (sample.measures, sample.score)
        assert again.embedding.tobytes() == sample.embedding.tobytes()
        assert again.strangeness.tobytes() == sample.strangeness.tobytes()
    assert reference_to_files(read) == reference_to_files(reference)
    with pytest.raises(KeyError):
        read_reference({**own, "bank/learnt.json": b'[{"sha256": "a"}]'}, folder="capture", bank="bank")


def test_files_hold_it_exactly(reference: CaptureReference) -> None:
    files = reference_to_files(reference)
    read = reference_from_files(files)
    assert read is not None
    assert reference_to_files(read) == files
    new = draw_samples(9, 5)
    for sample in new:
        assert np.array_equal(read.excess(sample), reference.excess(sample))
    assert reference_from_files({}) is None
    broken = {**files, "reference.json": json.dumps({"columns": {}, "samples": []}).encode()}
    with pytest.raises(KeyError):
        reference_from_files(broken)
