import numpy as np
import pytest

from tools.render_parts.gears import (
    GEARS,
    POINTS_PER_TOOTH,
    PRESSURE_ANGLE,
    gear_hull,
    gear_mesh,
    half_angle,
    outline,
    ring_stack,
)


def _edges(quads):
    edges = np.concatenate([quads[:, [i, (i + 1) % 4]] for i in range(4)])
    return np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)


@pytest.mark.parametrize("design", GEARS)
def test_a_gear_is_closed(design):
    mesh = gear_mesh(design)
    _, uses = _edges(mesh.quads)
    assert set(uses.tolist()) == {2}
    assert np.isfinite(mesh.vertices).all()


@pytest.mark.parametrize("design", [g for g in GEARS if g.holes])
def test_lightening_holes_add_handles(design):
    mesh = gear_mesh(design)
    edges, _ = _edges(mesh.quads)
    used = np.unique(mesh.quads)
    euler = len(used) - len(edges) + len(mesh.quads)
    assert euler == 2 - 2 * (1 + design.holes)  # a torus, and one handle more for each hole


@pytest.mark.parametrize("design", GEARS)
def test_teeth_are_involutes_of_the_twenty_degree_system(design):
    at_pitch = half_angle(design, np.array([design.pitch_radius]))[0]
    assert at_pitch == pytest.approx(np.pi / (2 * design.teeth), rel=1e-6)
    # The normal of an involute touches the base circle: r psi'(r) = -tan(pressure angle at r).
    radius = np.linspace(design.pitch_radius, design.tip_radius, 50)
    slope = np.gradient(half_angle(design, radius), radius)[1:-1] * radius[1:-1]
    base = design.pitch_radius * np.cos(PRESSURE_ANGLE)
    assert slope == pytest.approx(-np.sqrt(radius[1:-1] ** 2 - base**2) / base, abs=0.02)


@pytest.mark.parametrize("design", GEARS)
def test_outline_goes_once_round_and_keeps_between_root_and_tip(design):
    radius, angle = outline(design)
    assert len(radius) == design.teeth * POINTS_PER_TOOTH
    assert (np.diff(angle) > -1e-9).all()
    assert angle[-1] - angle[0] < 2 * np.pi
    assert radius.min() == pytest.approx(design.root_radius)
    assert radius.max() == pytest.approx(design.tip_radius)


@pytest.mark.parametrize("design", [g for g in GEARS if g.key])
def test_the_keyway_is_deeper_than_the_bore(design):
    bore = ring_stack(design)[0]
    radius = np.hypot(bore[:, 0], bore[:, 1])
    assert radius.min() == pytest.approx(design.bore, rel=1e-6)
    assert radius.max() > design.bore + 0.3 * design.key
    assert radius.max() < design.hub


@pytest.mark.parametrize("design", GEARS)
def test_the_hull_is_as_wide_as_the_gear(design):
    hull = gear_hull(design)
    assert np.hypot(hull[:, 0], hull[:, 1]).max() == pytest.approx(design.tip_radius)
    assert hull[:, 2].max() == pytest.approx(gear_mesh(design).vertices[:, 2].max(), abs=0.021)
