"""Pixel metrics by anomalib: right on hand-worked maps, unmoved by scale and size, and never by a sigmoid."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomaly.errors import DatasetError, RuntimeUnavailableError
from anomaly.interop import pixel_metrics

pytestmark = pytest.mark.slow  # anomalib takes seconds to import

PATHS = pytest.mark.parametrize("max_pixels", [10**7, 0], ids=["anomalib", "histogram"])


def some_maps(shapes, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    maps, masks = [], []
    for number, shape in enumerate(shapes):
        map_ = rng.gamma(2, 1, shape)
        mask = None
        if number % 2:
            mask = np.zeros(shape, dtype=bool)
            mask[1 : shape[0] // 2, 2:6] = True
            mask[-1, -1] = True
            map_[mask] += rng.gamma(2, 1, mask.sum())
        maps.append((map_ * scale).astype(np.float32))
        masks.append(mask)
    return maps, masks


@PATHS
def test_aupro_and_auroc_by_hand(max_pixels):
    # One region of 2 pixels scored 9 and 5, one of 1 pixel scored 7; 15 background pixels: 8, 6 and 4 down to -8.
    map_ = np.array([[9, 5, 8, 6, 4, 3], [2, 1, 0, -1, -2, -3], [-4, -5, -6, -7, -8, 7]], dtype=np.float32)
    mask = np.zeros((3, 6), dtype=bool)
    mask[0, :2] = True
    mask[2, 5] = True
    n_background = 15
    found = pixel_metrics([map_], [mask], max_pixels=max_pixels)
    # Descending: 9 (region 1, half), 8, 7 (region 2), 6, 5 (region 1): PRO is 1/4 up to one false positive, 3/4 to
    # the second, 1 thereafter. False positives cost 1/15 each; the limit 0.3 is 4.5 of them.
    by_hand = (1 * 0.25 + 1 * 0.75 + 2.5 * 1.0) / (0.3 * n_background)
    assert found.aupro == pytest.approx(by_hand, abs=1e-6)
    assert found.auroc == pytest.approx((15 + 14 + 13) / (3 * 15), abs=1e-6)
    assert found.exact == (max_pixels > 0)
    assert (found.n_images, found.n_defect_images) == (1, 1)


@PATHS
def test_raw_scores_far_above_one_meet_no_sigmoid(max_pixels):
    maps, masks = some_maps([(20, 24)] * 4)
    small = pixel_metrics([m / 100 for m in maps], masks, max_pixels=max_pixels)
    large = pixel_metrics([m * 1000 for m in maps], masks, max_pixels=max_pixels)
    truth = np.concatenate([np.zeros(m.size) if k is None else k.ravel() for m, k in zip(maps, masks, strict=True)])
    oracle = roc_auc_score(truth, np.concatenate([m.ravel() for m in maps]))
    assert large.auroc == pytest.approx(small.auroc, abs=1e-6)
    assert large.aupro == pytest.approx(small.aupro, abs=1e-6)
    assert large.auroc == pytest.approx(oracle, abs=1e-3 if max_pixels == 0 else 1e-6)


def test_increasing_transforms_change_nothing():
    maps, masks = some_maps([(16, 18)] * 4)
    plain = pixel_metrics(maps, masks)
    for transform in (np.log, np.sqrt, lambda m: m - 50):
        other = pixel_metrics([transform(m).astype(np.float32) for m in maps], masks)
        assert other.auroc == pytest.approx(plain.auroc, abs=1e-4)
        assert other.aupro == pytest.approx(plain.aupro, abs=1e-4)


def test_images_of_many_sizes_agree_between_both_ways():
    maps, masks = some_maps([(20, 24), (12, 40), (33, 9), (7, 8), (1, 30), (40, 41)])
    exact = pixel_metrics(maps, masks)
    coarse = pixel_metrics(maps, masks, max_pixels=0)
    assert exact.exact
    assert not coarse.exact
    assert coarse.auroc == pytest.approx(exact.auroc, abs=1e-3)
    assert coarse.aupro == pytest.approx(exact.aupro, abs=1e-3)


def test_padding_for_other_sizes_changes_nothing():
    # The same pixels as one row of four images, or as images of two sizes.
    maps, masks = some_maps([(10, 12), (10, 12)])
    cut = [maps[0][:4], maps[0][4:], maps[1]]
    assert masks[0] is None
    whole = pixel_metrics(maps, masks)
    parts = pixel_metrics(cut, [None, None, masks[1]])
    assert parts.auroc == pytest.approx(whole.auroc, abs=1e-6)
    assert parts.aupro == pytest.approx(whole.aupro, abs=1e-6)


@PATHS
def test_a_one_pixel_defect_counts_as_much_as_a_large_one(max_pixels):
    map_ = np.zeros((20, 20), dtype=np.float32)
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:10, 2:10] = True
    mask[15, 15] = True
    map_[2:10, 2:10] = 5
    missed = pixel_metrics([map_], [mask], max_pixels=max_pixels)
    map_[15, 15] = 5
    found = pixel_metrics([map_], [mask], max_pixels=max_pixels)
    assert found.aupro == pytest.approx(1.0, abs=1e-6)
    assert missed.aupro < 0.7


@PATHS
def test_the_map_is_brought_to_the_mask(max_pixels):
    mask = np.zeros((64, 64), dtype=bool)
    mask[32, 32] = True  # would vanish in a mask of 16 x 16
    map_ = np.zeros((16, 16), dtype=np.float32)
    map_[8, 8] = 1
    found = pixel_metrics([map_], [mask], max_pixels=max_pixels)
    assert found.n_defect_images == 1
    assert found.auroc > 0.99


def test_pixels_touching_at_a_corner_are_one_region_in_both_ways():
    mask = np.eye(6, dtype=bool)
    map_ = np.where(mask, np.arange(6)[:, None] + 1, 0).astype(np.float32)
    exact, coarse = pixel_metrics([map_], [mask]), pixel_metrics([map_], [mask], max_pixels=0)
    assert exact.aupro == pytest.approx(coarse.aupro, abs=1e-6)


MAP = np.ones((3, 4), dtype=np.float32)
MASK = np.eye(3, 4, dtype=bool)


@pytest.mark.parametrize(
    ("maps", "masks"),
    [
        ([MAP], []),
        ([], []),
        ([MAP], [None]),
        ([MAP], [np.ones((3, 4), dtype=bool)]),
        ([MAP], [MASK.astype(np.uint8)]),
        ([MAP[None]], [MASK]),
        ([MAP * np.nan], [MASK]),
        ([MAP], [MASK[0]]),
    ],
)
def test_unusable_input_is_a_named_error(maps, masks):
    with pytest.raises(DatasetError) as caught:
        pixel_metrics(maps, masks)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("missing", "max_pixels"), [("anomalib", 10**7), ("scipy", 0)])
def test_a_missing_extra_names_the_command(monkeypatch, missing, max_pixels):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else there(name))
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'goodparts\[train\]'"):
        pixel_metrics([MAP], [MASK], max_pixels=max_pixels)


def test_importing_the_rooms_imports_nothing_heavy():
    heavy = "('anomalib', 'torch', 'scipy', 'sklearn', 'matplotlib')"
    code = f"import sys, anomaly.interop, anomaly.evaluation; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
