from __future__ import annotations

import json

import numpy as np
import pytest

from anomaly.capture import CaptureReference
from anomaly.capture.files import reference_from_files, reference_to_files
from anomaly.capture.fit import fit_reference
from tests.capture.samples import QUALITY, draw_sample, draw_samples


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
