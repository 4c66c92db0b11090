import numpy as np
import pytest

from tools.render_parts.damage import GEAR_DAMAGES, SPRING_DAMAGES, fractal_noise
from tools.render_parts.gear_damage import damage_gear
from tools.render_parts.gears import GEARS, gear_mesh
from tools.render_parts.spring_damage import damage_spring
from tools.render_parts.springs import SPRINGS, spring_mesh

UP = np.array([1.0, 0.0, 0.0])


def _gear(design, kind, severity, seed=0):
    return damage_gear(design, kind, severity=severity, up=1.0, rng=np.random.default_rng(seed))


def _spring(design, kind, severity, seed=0):
    rng = np.random.default_rng(seed)
    return damage_spring(design, kind, severity=severity, phase=0.0, twist=0.0, up=UP, rng=rng)


def _fits(design, kind):
    return kind != "broken_hook" or design.kind == "extension"


@pytest.mark.parametrize("kind", GEAR_DAMAGES)
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_every_gear_damage_marks_what_it_changed(kind, severity):
    for design in (GEARS[0], GEARS[3]):
        part = _gear(design, kind, severity)
        assert np.isfinite(part.mesh.vertices).all()
        if part.decal is not None:
            assert part.decal.mask.any()
            assert not part.decal.mask.all()
            changed = (part.decal.rust > 0.5) | (part.decal.dark > 0.5)
            assert not (changed & (part.decal.mask == 0)).any()
        else:
            moved = np.linalg.norm(part.mesh.vertices - gear_mesh(design).vertices, axis=1) > 0.004
            assert moved.any()
            assert np.array_equal(moved, part.mesh.damage > 0.5)


@pytest.mark.parametrize("kind", ["missing_tooth", "chipped_tooth"])
def test_a_broken_tooth_leaves_a_ghost_and_less_metal(kind):
    design = GEARS[0]
    part = _gear(design, kind, 0.5)
    assert part.ghost is not None
    before, after = gear_mesh(design).vertices, part.mesh.vertices
    assert np.hypot(after[:, 0], after[:, 1]).sum() < np.hypot(before[:, 0], before[:, 1]).sum()
    ghost = np.unique(part.ghost.quads)
    assert np.isin(np.flatnonzero(part.mesh.damage > 0.5), ghost).all()


@pytest.mark.parametrize("kind", ["cracked_web", "rust", "dent"])
def test_more_severe_surface_damages_cover_more(kind):
    sizes = [np.mean([_gear(GEARS[0], kind, s, seed).decal.mask.mean() for seed in range(3)]) for s in (0.0, 1.0)]
    assert sizes[1] > sizes[0]


@pytest.mark.parametrize("kind", SPRING_DAMAGES)
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_every_spring_damage_marks_something_and_not_all(kind, severity):
    for design in (SPRINGS[0], SPRINGS[4]):
        if not _fits(design, kind):
            continue
        part = _spring(design, kind, severity)
        assert np.isfinite(part.mesh.vertices).all()
        share = float((part.mesh.damage > 0.5).mean())
        assert 0 < share < 1
        assert (part.mesh.rust.max() > 0.5) == (kind == "rust")


def test_a_broken_wire_and_its_ghost_make_the_whole_length():
    design = SPRINGS[4]
    whole = len(spring_mesh(design, phase=0.0, twist=0.0).quads)
    part = _spring(design, "broken_hook", 1.0)
    assert part.ghost is not None
    assert len(part.mesh.quads) < whole
    assert len(part.mesh.quads) + len(part.ghost.quads) == pytest.approx(whole, abs=40)


@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0])
def test_bending_keeps_the_length_of_the_wire(severity):
    design = SPRINGS[0]
    straight = spring_mesh(design, phase=0.0, twist=0.0)
    bent = _spring(design, "bent_axis", severity).mesh
    length = [float(m.uv[:, 0].max()) for m in (straight, bent)]
    assert length[1] == pytest.approx(length[0], rel=0.03)
    assert np.abs(bent.vertices[:, 1]).max() > 1.15 * np.abs(straight.vertices[:, 1]).max()


def test_the_same_seed_gives_the_same_damage():
    first, second = (_gear(GEARS[1], "cracked_web", 0.7, seed=5) for _ in range(2))
    assert np.array_equal(first.decal.dark, second.decal.dark)


def test_noise_is_standardised_and_tiles():
    noise = fractal_noise(np.random.default_rng(0), 64, coarsest=4, octaves=2)
    assert noise.mean() == pytest.approx(0, abs=1e-9)
    assert noise.std() == pytest.approx(1)
    inside = np.abs(np.diff(noise, axis=0)).max()
    assert np.abs(noise[0] - noise[-1]).max() <= inside * 1.5
