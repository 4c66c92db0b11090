from collections import Counter

import numpy as np
import pytest

from tools.render_parts.damage import GEAR_DAMAGES
from tools.render_parts.law import (
    IMAGES,
    PART_TYPES,
    SESSIONS,
    deal_batch,
    draw_damages,
    draw_session,
    generator,
    place,
)


@pytest.mark.parametrize("part_type", PART_TYPES)
def test_every_session_holds_sixteen_undamaged_and_ten_damaged_pictures(part_type):
    places = [place(part_type, index) for index in range(IMAGES)]
    counts = Counter((p.session, p.damaged) for p in places)
    assert counts == {(s, d): 10 if d else 16 for s in range(SESSIONS) for d in (False, True)}
    assert len({p.name for p in places}) == IMAGES


@pytest.mark.parametrize("end", [60, 130, 200])
def test_a_part_of_the_data_set_is_nearly_balanced(end):
    places = [place("gears", index) for index in range(end)]
    share = sum(p.damaged for p in places) / end
    assert abs(share - 10 / 26) < 0.05
    sessions = Counter(p.session for p in places)
    assert max(sessions.values()) - min(sessions.values()) <= 1


def test_groups_of_the_two_part_types_differ():
    assert place("gears", 3).group != place("springs", 3).group


def test_the_law_is_reproducible_and_depends_on_the_seed():
    assert draw_session("gears", 0, 4) == draw_session("gears", 0, 4)
    assert draw_session("gears", 0, 4) != draw_session("gears", 1, 4)
    assert draw_session("gears", 0, 4) != draw_session("springs", 0, 4)


@pytest.mark.parametrize("part_type", PART_TYPES)
def test_both_labels_are_dealt_the_same_numbers_of_parts_and_articles(part_type):
    dealt = {False: [], True: []}
    for index in range(IMAGES):
        where = place(part_type, index)
        dealt[where.damaged].append(deal_batch(where, catalogue=5, seed=3))
    for batches in dealt.values():
        assert {b.count for b in batches} == set(range(5, 15))
        assert np.mean([b.count for b in batches]) == 9.5
        assert {len(b.articles) for b in batches} == {1, 2}
        share = np.bincount([a for b in batches for a in b.articles], minlength=5) / len(batches)
        assert np.ptp(share) < 0.06


def test_one_to_three_damages():
    rng = generator("gears", 0, 9)
    damages = [draw_damages(rng, GEAR_DAMAGES) for _ in range(300)]
    assert {len(d) for d in damages} == {1, 2, 3}
    assert {kind for d in damages for kind, _ in d} == set(GEAR_DAMAGES)
    assert all(0 <= severity <= 1 for d in damages for _, severity in d)
