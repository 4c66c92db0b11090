from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.errors import DatasetError
from benchmarks.shapes import ANGLES, _disc, _draws, costs


def test_a_disc_turns_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "casting.png"
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[:, 40:] = 255  # the right half is bright
    Image.fromarray(picture).save(path)
    as_photographed, turned = _disc(path, 0, 0.8), _disc(path, 90, 0.8)
    assert as_photographed.shape == turned.shape == (100, 100, 3)
    assert as_photographed[50, 70].tolist() == turned[30, 50].tolist() == [255] * 3
    assert as_photographed[50, 30].tolist() == turned[70, 50].tolist() == [0] * 3
    ground = [(5, 5), (50, 5), (95, 50), (20, 20)]
    assert all(disc[place].tolist() == [128] * 3 for disc in (as_photographed, turned) for place in ground)


def test_draws_share_no_image_and_are_spread_alike() -> None:
    paths = [Path(f"{number:03d}.png") for number in range(239)]
    draws = _draws(paths, 60, 3)
    assert [len(draw) for draw in draws] == [60, 60, 60]
    assert len({path for draw in draws for path in draw}) == 180
    assert draws[1][:2] == [paths[1], paths[4]]
    with pytest.raises(DatasetError, match="need 240, and there are 239"):
        _draws(paths, 60, 4)


def test_costs_are_those_against_the_images_as_photographed() -> None:
    auroc = {"as photographed": 0.96} | {f"{angle} degrees": 0.95 for angle in ANGLES[1:]} | {"200 degrees": 0.93}
    average, worst = costs(auroc)
    assert worst == pytest.approx(0.03)
    assert average == pytest.approx((0.01 * (len(ANGLES) - 2) + 0.03) / (len(ANGLES) - 1))
