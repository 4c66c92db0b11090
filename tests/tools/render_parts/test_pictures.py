import io

import numpy as np
import pytest
from PIL import Image

from tools.render_parts.law import PART_TYPES, draw_session, generator
from tools.render_parts.photograph import develop
from tools.render_parts.textures import SIZE, grime, support


def test_developing_is_reproducible_and_monotone():
    session = draw_session("gears", 0, 0)
    files = [develop(np.full((48, 64, 3), v), session, np.random.default_rng(1)) for v in (0.1, 0.1, 0.4)]
    assert files[0] == files[1]
    dark, bright = (np.asarray(Image.open(io.BytesIO(f))).astype(float) for f in files[1:])
    assert dark.shape == (48, 64, 3)
    assert bright.mean() > dark.mean() + 30


def test_light_without_limit_does_not_overflow():
    picture = develop(np.full((16, 16, 3), 1e4), draw_session("gears", 0, 1), np.random.default_rng(0))
    assert np.asarray(Image.open(io.BytesIO(picture))).min() > 240


@pytest.mark.slow
@pytest.mark.parametrize("part_type", PART_TYPES)
def test_the_support_is_a_plausible_surface_and_differs_between_pictures(part_type):
    session = draw_session(part_type, 0, 2)
    first, again, other = (support(part_type, session, 0, generator(part_type, 0, 4, i)) for i in (1, 1, 2))
    assert first.colour.shape == (SIZE, SIZE, 3)
    assert first.colour.min() > 0
    assert first.colour.max() < 1
    assert np.array_equal(first.colour, again.colour)
    assert not np.array_equal(first.colour, other.colour)


def test_grime_is_a_picture():
    atlas = grime(np.random.default_rng(0))
    assert atlas.shape[-1] == 3
    assert atlas.min() >= 0
    assert atlas.max() <= 1
