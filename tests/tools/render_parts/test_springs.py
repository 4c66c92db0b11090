import numpy as np
import pytest

from tools.render_parts.springs import SIDES, SPRINGS, grind, spring_hull, spring_mesh, spring_wire, sweep

COMPRESSION = [s for s in SPRINGS if s.kind == "compression"]
EXTENSION = [s for s in SPRINGS if s.kind == "extension"]


@pytest.mark.parametrize("design", SPRINGS)
def test_a_swept_wire_is_closed(design):
    mesh = spring_mesh(design, phase=0.3, twist=np.pi)
    quads = np.concatenate([mesh.quads[:, [i, (i + 1) % 4]] for i in range(4)])
    triangles = np.concatenate([mesh.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    _, uses = np.unique(np.sort(np.concatenate([quads, triangles]), axis=1), axis=0, return_counts=True)
    assert set(uses.tolist()) == {2}
    assert np.isfinite(mesh.vertices).all()


def test_a_straight_wire_has_the_volume_of_a_cylinder():
    line = np.column_stack([np.zeros(40), np.zeros(40), np.linspace(0, 3, 40)])
    mesh = sweep(line, wire=0.2)
    ring = mesh.vertices[:SIDES]
    assert np.hypot(ring[:, 0], ring[:, 1]) == pytest.approx(0.1)
    assert np.ptp(mesh.vertices[:, 2]) == pytest.approx(3.0)


@pytest.mark.parametrize("design", COMPRESSION)
def test_compression_springs_have_closed_ends_and_open_coils(design):
    wire = spring_wire(design, phase=0.0, twist=0.0)
    rise = np.gradient(wire.points[:, 2], wire.turn)
    assert rise[5] == pytest.approx(design.wire, rel=0.05)
    assert rise[len(rise) // 2] == pytest.approx(design.pitch, rel=1e-3)
    assert np.hypot(wire.points[:, 0], wire.points[:, 1]) == pytest.approx(design.radius)


@pytest.mark.parametrize("design", COMPRESSION)
def test_ground_ends_are_flat(design):
    wire = spring_wire(design, phase=0.0, twist=0.0)
    z = grind(sweep(wire.points, wire=design.wire), wire.ground).vertices[:, 2]
    assert (np.isclose(z, z.max())).sum() > 20
    assert (np.isclose(z, z.min())).sum() > 20


@pytest.mark.parametrize("design", EXTENSION)
def test_extension_springs_lie_coil_on_coil_and_end_in_hooks(design):
    wire = spring_wire(design, phase=0.5, twist=0.0)
    assert design.pitch < 1.1 * design.wire
    coil, hooks = wire.points[wire.body], wire.points[~wire.body]
    assert hooks[:, 2].max() > coil[:, 2].max() + design.radius
    assert hooks[:, 2].min() < coil[:, 2].min() - design.radius
    assert np.linalg.norm(np.diff(wire.points, axis=0), axis=1).max() < 4 * design.wire


@pytest.mark.parametrize("design", SPRINGS)
def test_the_hull_holds_the_wire(design):
    wire = spring_wire(design, phase=0.0, twist=0.0)
    hull = spring_hull(wire, design.wire)
    assert np.hypot(hull[:, 0], hull[:, 1]).max() >= design.radius
    assert hull[:, 2].max() >= 0.9 * wire.points[:, 2].max()
