from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.config import SplitConfig
from anomaly.dataset import (
    Dataset,
    DuplicateCluster,
    DuplicateReport,
    LabelledImage,
    SplitAssignment,
    split_dataset,
)
from anomaly.errors import ConfigError, DatasetError, LabelsError, LeakError, TooFewImagesError
from anomaly.types import DAMAGED, UNDAMAGED, Label, Split


def images(n: int, label: Label = UNDAMAGED, *, prefix: str = "", **known: str) -> list[LabelledImage]:
    names = [f"{prefix}{label}{i:03}.png" for i in range(n)]
    return [LabelledImage(Path(name), name, label, **known) for name in names]  # type: ignore[arg-type]


def report(
    members: list[LabelledImage], *clusters: tuple[str, ...], kind: str = "near", unreadable: tuple[str, ...] = ()
) -> DuplicateReport:
    label = {image.name: image.label for image in members}
    return DuplicateReport(
        clusters=tuple(
            DuplicateCluster(names, kind, frozenset(label[name] for name in names))  # type: ignore[arg-type]
            for names in clusters
        ),
        sha256={name: hashlib.sha256(name.encode()).hexdigest() for name in label if name not in unreadable},
        unreadable=dict.fromkeys(unreadable, "it is truncated"),
    )


def split(
    members: list[LabelledImage],
    *,
    duplicates: DuplicateReport | None = None,
    config: SplitConfig | None = None,
    seed: int = 0,
) -> SplitAssignment:
    ordered = tuple(sorted(members, key=lambda image: image.name))
    dataset = Dataset(Path(), "for a test", "labels.csv", ordered)
    return split_dataset(dataset, config or SplitConfig(), seed=seed, duplicates=duplicates or report(members))


def counts(assignment: SplitAssignment) -> dict[tuple[Split, Label], int]:
    cells: list[tuple[Split, Label]] = [
        (place, label) for place in ("bank", "validation", "test") for label in (UNDAMAGED, DAMAGED)
    ]
    return {(split, label): len(assignment.select(split, label=label)) for split, label in cells}


def where(assignment: SplitAssignment) -> dict[str, str]:
    return {entry.name: entry.split for entry in assignment.entries}


def test_shares_are_met_to_the_image_and_no_damaged_one_is_in_the_bank() -> None:
    members = images(100) + images(41, DAMAGED)
    assignment = split(members)
    assert counts(assignment) == {
        ("bank", UNDAMAGED): 60,
        ("bank", DAMAGED): 0,
        ("validation", UNDAMAGED): 20,
        ("validation", DAMAGED): 21,
        ("test", UNDAMAGED): 20,
        ("test", DAMAGED): 20,
    }
    assert [entry.name for entry in assignment.entries] == sorted(image.name for image in members)
    assert [image.split for image in assignment.images] == [entry.split for entry in assignment.entries]
    assert assignment.notes == ()


def test_each_part_type_is_divided_for_itself() -> None:
    members = [
        *images(50, prefix="gears/", part_type="gears"),
        *images(10, prefix="springs/", part_type="springs"),
        *images(20, DAMAGED, prefix="gears/", part_type="gears"),
        *images(4, DAMAGED, prefix="springs/", part_type="springs"),
    ]
    assignment = split(members)
    of_springs = [entry for entry in assignment.entries if entry.part_type == "springs"]
    assert sorted(entry.split for entry in of_springs if entry.label == UNDAMAGED) == (
        ["bank"] * 6 + ["test"] * 2 + ["validation"] * 2
    )
    assert sorted(entry.split for entry in of_springs if entry.label == DAMAGED) == ["test"] * 2 + ["validation"] * 2


def test_many_small_part_types_still_add_up_to_the_shares() -> None:
    members = [image for k in range(10) for image in images(3, prefix=f"{k}/", part_type=f"type {k}")]
    assert counts(split(members))["bank", UNDAMAGED] == pytest.approx(18, abs=1)


def test_the_seed_decides_and_nothing_else_does() -> None:
    members = images(40) + images(10, DAMAGED)
    first = split(members, seed=3)
    assert split(list(reversed(members)), seed=3) == first
    assert where(split(members, seed=4)) != where(first)
    assert counts(split(members, seed=4)) == counts(first)


def test_a_group_with_damage_stays_out_of_the_bank_entirely() -> None:
    mixed = images(4, prefix="m/", group="monday") + images(2, DAMAGED, prefix="m/", group="monday")
    members = images(20) + images(4, DAMAGED) + mixed
    assignment = split(members)
    places = {where(assignment)[image.name] for image in mixed}
    assert len(places) == 1
    assert "bank" not in places
    assert "group monday holds damaged images, so 4 undamaged images of it stay out of the memory bank." in (
        assignment.notes
    )


def test_where_every_group_holds_damage_some_serve_the_bank_and_lose_their_damaged_images() -> None:
    days = [f"day{number}" for number in range(10)]
    members = [image for day in days for image in images(8, prefix=f"{day}/", group=day)]
    members += [image for day in days for image in images(5, DAMAGED, prefix=f"{day}/", group=day)]
    assignment = split(members)
    place = where(assignment)
    groups = {day: {place[i.name] for i in members if i.group == day and i.name in place} for day in days}
    assert all(len(places) == 1 for places in groups.values())
    banked = [day for day, places in groups.items() if places == {"bank"}]
    assert 4 <= len(banked) <= 6
    lost = {image.name for image in members} - set(place)
    assert lost == {image.name for image in members if image.group in banked and image.label == DAMAGED}
    assert any(note.startswith(f"{len(lost)} damaged images serve nowhere") for note in assignment.notes)


def test_duplicates_link_groups_and_stay_together() -> None:
    members = [
        *images(3, prefix="a/", group="a"),
        *images(3, prefix="b/", group="b"),
        *images(20),
    ]
    linked = ("a/undamaged000.png", "b/undamaged002.png", "undamaged007.png")
    for seed in range(5):
        assignment = split(members, duplicates=report(members, linked), seed=seed)
        together = [image.name for image in members[:6]] + ["undamaged007.png"]
        assert len({where(assignment)[name] for name in together}) == 1


def test_exact_copies_count_once_wherever_they_would_go() -> None:
    members = images(20) + images(6, DAMAGED)
    copies = ("undamaged003.png", "undamaged004.png", "undamaged009.png")
    assignment = split(members, duplicates=report(members, copies, kind="exact"))
    assert "undamaged003.png" in where(assignment)
    assert "undamaged004.png" not in where(assignment)
    assert "2 exact copies left out: undamaged004.png, undamaged009.png." in assignment.notes


def test_a_copy_that_is_left_out_still_ties_its_group() -> None:
    members = images(20) + images(3, prefix="g/", group="g") + images(1, DAMAGED, prefix="g/", group="g")
    # The first by name stays; its copy belongs to a group with damage, so it may not be in the bank either.
    members.append(LabelledImage(Path("a.png"), "a.png", UNDAMAGED))
    duplicates = report(members, ("a.png", "g/undamaged000.png"), kind="exact")
    for seed in range(5):
        placed = where(split(members, duplicates=duplicates, seed=seed))
        assert placed["a.png"] == placed["g/damaged000.png"]


def test_unreadable_images_are_left_out_aloud() -> None:
    members = images(10)
    assignment = split(members, duplicates=report(members, unreadable=("undamaged002.png",)))
    assert len(assignment.entries) == 9
    assert "1 image left out, not readable: undamaged002.png (it is truncated)." in assignment.notes


def test_few_images_fill_the_bank_first_then_validation_then_test() -> None:
    assert counts(split(images(5) + images(1, DAMAGED))) == {
        ("bank", UNDAMAGED): 3,
        ("bank", DAMAGED): 0,
        ("validation", UNDAMAGED): 1,
        ("validation", DAMAGED): 1,
        ("test", UNDAMAGED): 1,
        ("test", DAMAGED): 0,
    }
    two = counts(split(images(5) + images(2, DAMAGED)))
    assert (two["validation", DAMAGED], two["test", DAMAGED]) == (1, 1)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_undamaged_images(n: int) -> None:
    with pytest.raises(TooFewImagesError, match="at least 5 undamaged") as caught:
        split(images(n) + images(9, DAMAGED))
    assert (caught.value.n, caught.value.needed) == (n, 5)


def test_copies_do_not_make_up_for_too_few() -> None:
    members = images(30)
    with pytest.raises(TooFewImagesError) as caught:
        split(members, duplicates=report(members, tuple(image.name for image in members), kind="exact"))
    assert caught.value.n == 1


def test_one_single_group_cannot_be_divided() -> None:
    with pytest.raises(TooFewImagesError, match="further groups") as caught:
        split(images(30, group="all"))
    assert (caught.value.n, caught.value.needed) == (0, 1)
    with pytest.raises(TooFewImagesError, match="for validation"):
        split(images(30, group="all") + images(3, DAMAGED, group="all"))


def test_without_a_test_share_there_is_no_test_split() -> None:
    assignment = split(images(20) + images(6, DAMAGED), config=SplitConfig(test=0.0))
    assert assignment.select("test") == ()
    assert len(assignment.select("validation", label=DAMAGED)) == 6
    assert "there is no test split." in assignment.notes


def test_undamaged_images_alone_are_divided_too() -> None:
    assignment = split(images(20))
    assert [len(assignment.select(place)) for place in ("bank", "validation", "test")] == [12, 4, 4]
    assert any("no damaged image" in note for note in assignment.notes)


def test_a_part_type_without_bank_images_is_pointed_out() -> None:
    members = images(20, part_type="gears") + images(4, DAMAGED, prefix="s/", part_type="springs")
    assert "no undamaged image in the memory bank for part type springs." in split(members).notes


@pytest.mark.parametrize(
    "config",
    [
        SplitConfig(validation=0.0),
        SplitConfig(validation=0.6, test=0.4),
        SplitConfig(test=-0.1),
        SplitConfig(damaged_validation=1.5),
        SplitConfig(validation=float("nan")),
    ],
)
def test_impossible_shares_are_a_config_error(config: SplitConfig) -> None:
    with pytest.raises(ConfigError):
        split(images(20), config=config)


def test_a_report_of_other_images_is_refused() -> None:
    with pytest.raises(DatasetError, match="does not know"):
        split(images(20), duplicates=report(images(10)))


def placed(place: Split, label: Label, *names: str, group: str = "") -> list[LabelledImage]:
    return [LabelledImage(Path(name), name, label, group=group, split=place) for name in names]


def test_a_given_split_is_taken_as_it_is() -> None:
    members = [
        *placed("bank", UNDAMAGED, "a", "b"),
        *placed("validation", UNDAMAGED, "c"),
        *placed("validation", DAMAGED, "d"),
    ]
    assignment = split(members)
    assert where(assignment) == {"a": "bank", "b": "bank", "c": "validation", "d": "validation"}
    assert "there is no test split." in assignment.notes


def test_a_given_split_that_leaks_is_refused_by_name() -> None:
    fixed = [*placed("bank", UNDAMAGED, "a", "b", "c"), *placed("validation", UNDAMAGED, "d")]
    grouped = [
        *fixed,
        *placed("bank", UNDAMAGED, "e", group="g"),
        *placed("test", DAMAGED, "f", group="g"),
    ]
    with pytest.raises(LeakError, match=r"group g .* e \(bank\), f \(test\)") as caught:
        split(grouped)
    assert caught.value.paths == ("e", "f")
    for kind, says in (("exact", "copies of one picture"), ("near", "near-duplicates")):
        with pytest.raises(LeakError, match=says) as caught:
            split(fixed, duplicates=report(fixed, ("b", "d"), kind=kind))
        assert caught.value.paths == ("b", "d")
    assert len(split(fixed, duplicates=report(fixed, ("a", "b"), kind="exact")).entries) == 3


def test_a_given_split_must_be_complete_and_sound() -> None:
    bank = placed("bank", UNDAMAGED, "a", "b", "c")
    with pytest.raises(LabelsError, match="without split"):
        split([*bank, *images(2)])
    with pytest.raises(LabelsError, match="damaged images in the memory bank: d"):
        split([*bank, *placed("validation", UNDAMAGED, "e"), *placed("bank", DAMAGED, "d")])
    with pytest.raises(TooFewImagesError, match="for validation") as caught:
        split(bank)
    assert (caught.value.n, caught.value.needed) == (0, 1)


@given(data=st.data())
def test_nothing_that_belongs_together_is_ever_divided(data: st.DataObject) -> None:
    n = data.draw(st.integers(12, 40))
    members = []
    for i in range(n):
        label: Label = DAMAGED if data.draw(st.integers(0, 3)) == 0 else UNDAMAGED
        group = data.draw(st.sampled_from(["", "", "a", "b", "c", "d", "e", "f"]))
        part_type = data.draw(st.sampled_from(["gears", "springs"]))
        members.append(LabelledImage(Path(f"{i:02}"), f"{i:02}", label, part_type=part_type, group=group))
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=4))
    twins = [(f"{a:02}", f"{b:02}") for a, b in pairs if a != b]
    try:
        assignment = split(members, duplicates=report(members, *twins), seed=data.draw(st.integers(0, 9)))
    except TooFewImagesError:
        return
    place = where(assignment)
    lost = {image.name for image in members} - set(place)
    assert all(image.label == DAMAGED for image in members if image.name in lost)
    assert bool(lost) == any("serve" in note and "nowhere" in note for note in assignment.notes)
    groups = defaultdict(set)
    for image in members:
        if image.group and image.name not in lost:
            groups[image.group].add(place[image.name])
        assert (image.label, place.get(image.name)) != (DAMAGED, "bank")
    assert all(len(places) == 1 for places in groups.values())
    assert all(place[a] == place[b] for a, b in twins if not {a, b} & lost)
    assert len(assignment.select("bank", label=UNDAMAGED)) >= 2
    assert len(assignment.select("validation", label=UNDAMAGED)) >= 1
