"""The station in Blender: support, parts, lights, camera; the picture and its masks are taken here."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

from .gears import GearDesign
from .law import Place, Session, generator
from .layout import Part
from .materials import gear_material, mask_material, support_material, wire_material
from .mesh import FloatArray, Mesh
from .nodes import Graph, make_image
from .textures import grime, support

CAMERA_HEIGHT = 46.0
SUPPORT_EDGE = 21.0


@dataclass(eq=False)
class Station:
    """A built scene: its objects by part, and the ghosts that only the masks show."""

    parts: list[Part]
    objects: list[bpy.types.Object]
    ghosts: list[tuple[int, bpy.types.Object]]
    support: bpy.types.Object
    lights: list[bpy.types.Object]


def to_blender(name: str, mesh: Mesh, *, sharp: float) -> bpy.types.Mesh:
    """Turn a mesh into Blender data; edges sharper than ``sharp`` (radians) stay sharp."""
    made = bpy.data.meshes.new(name)
    made.from_pydata(mesh.vertices.tolist(), [], mesh.quads.tolist() + mesh.triangles.tolist())
    made.polygons.foreach_set("use_smooth", np.ones(len(made.polygons), dtype=bool))
    made.set_sharp_from_angle(angle=sharp)
    for attribute in ("damage", "fracture", "rust"):
        values = getattr(mesh, attribute)
        if values.any():
            made.attributes.new(attribute, "FLOAT", "POINT").data.foreach_set("value", values.astype(np.float32))
    corners = np.empty(len(made.loops), dtype=np.int32)
    made.loops.foreach_get("vertex_index", corners)
    made.uv_layers.new(name="UVMap").data.foreach_set("uv", mesh.uv[corners].astype(np.float32).ravel())
    made.update()
    return made


def _link(name: str, data: object) -> bpy.types.Object:
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made


def _area_light(
    name: str, *, azimuth: float, elevation: float, size: float, power: float, tint: FloatArray
) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "AREA")
    data.shape, data.size, data.size_y = "RECTANGLE", size, size * 0.7
    data.energy, data.color = power, tint.tolist()
    made = _link(name, data)
    flat = np.cos(elevation)
    made.location = Vector((flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation))) * 42.0
    made.rotation_euler = (-made.location).to_track_quat("-Z", "Y").to_euler()
    return made


def _tint(kelvin_shift: float) -> FloatArray:
    """Colour of a lamp: warm for positive numbers, cool for negative ones."""
    return np.clip(np.array([1.0 + 0.045 * kelvin_shift, 1.0, 1.0 - 0.06 * kelvin_shift]), 0.5, 1.4)


def _light(session: Session, rng: np.random.Generator) -> list[bpy.types.Object]:
    """Two softboxes, a weak panel around the camera and a dim room, a little different in every picture."""
    power = 15000 * session.key_power * rng.normal(1, 0.03)
    azimuth = session.key_azimuth + rng.normal(0, 0.04)
    tint = _tint(session.kelvin_shift + rng.normal(0, 0.08))
    key = _area_light(
        "key", azimuth=azimuth, elevation=session.key_elevation, size=session.key_size, power=power, tint=tint
    )
    fill = _area_light(
        "fill", azimuth=azimuth + 2.7, elevation=0.85, size=30, power=power * session.fill_share, tint=_tint(-0.8)
    )
    panel = _area_light(
        "panel", azimuth=azimuth + 1.2, elevation=1.36, size=26, power=3600 * session.dome_power, tint=_tint(0.2)
    )
    world = bpy.data.worlds.new("room")
    bpy.context.scene.world = world
    world.cycles.sampling_method = "NONE"  # an importance map costs two seconds a picture and gains nothing here
    g = Graph(world)
    direction = g.node("ShaderNodeTexCoord").outputs["Generated"]
    cloud = g.node("ShaderNodeTexNoise", None, {"Vector": direction, "Scale": 1.7, "Detail": 1.0}).outputs[0]
    shade = g.node("ShaderNodeMapRange", None, {"Value": cloud, "From Min": 0.35, "From Max": 0.65}).outputs[0]
    colour = g.mix(shade, (0.10, 0.105, 0.115, 1.0), (0.62, 0.60, 0.57, 1.0))
    room = g.node("ShaderNodeBackground", None, {"Color": colour, "Strength": 1.0 * session.room})
    g.node("ShaderNodeOutputWorld", None, {0: room.outputs[0]})
    return [key, fill, panel]


def _camera(session: Session, rng: np.random.Generator) -> None:
    data = bpy.data.cameras.new("camera")
    field = session.field * 1.03
    data.sensor_width, data.lens = 36.0, 36.0 * CAMERA_HEIGHT / field
    data.dof.use_dof = True
    data.dof.focus_distance = CAMERA_HEIGHT - 0.4 - rng.uniform(0, 0.3)
    data.dof.aperture_fstop = data.lens / 1000 / session.aperture
    made = _link("camera", data)
    tilt = np.array(session.camera_tilt) + rng.normal(0, 0.002, 2)
    made.location = (float(np.sin(tilt[1])) * CAMERA_HEIGHT, -float(np.sin(tilt[0])) * CAMERA_HEIGHT, CAMERA_HEIGHT)
    made.rotation_euler = Euler((float(tilt[0]), float(tilt[1]), session.camera_roll + float(rng.normal(0, 0.004))))
    bpy.context.scene.camera = made


def build_station(parts: list[Part], place: Place, session: Session, seed: int) -> Station:
    """Put support, parts, lights and camera into an empty Blender scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = generator(place.part_type, seed, 4, place.index)
    painted = support(place.part_type, session, seed, rng)
    half = SUPPORT_EDGE / 2
    flat = bpy.data.meshes.new("support")
    flat.from_pydata([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)], [], [(0, 1, 2, 3)])
    ground = _link("support", flat)
    flat.materials.append(support_material(painted, SUPPORT_EDGE))
    atlas = make_image("grime", grime(rng))
    shapes: dict[tuple[int, float, float], bpy.types.Mesh] = {}
    metals: dict[int, bpy.types.Material] = {}
    objects: list[bpy.types.Object] = []
    ghosts: list[tuple[int, bpy.types.Object]] = []
    sharp = np.deg2rad(38)
    for number, part in enumerate(parts):
        if part.damage is not None:
            data = to_blender(f"part{number}", part.damage.mesh, sharp=sharp)
        else:
            if part.key() not in shapes:
                shapes[part.key()] = to_blender(f"part{number}", part.undamaged_mesh(), sharp=sharp)
            data = shapes[part.key()]
        made = _link(f"part{number}", data)
        made.matrix_world = part.pose
        made.color = (*part.grime, 1.0)
        decal = part.damage.decal if part.damage is not None else None
        if decal is not None or id(part.design) not in metals:
            tint, rough = part.design.tint, part.design.roughness
            if isinstance(part.design, GearDesign):
                metal = gear_material(tint, rough, atlas, decal)
            else:
                metal = wire_material(tint, rough, atlas)
            if decal is None:
                metals[id(part.design)] = metal
        else:
            metal = metals[id(part.design)]
        _wear(made, metal)
        objects.append(made)
        if part.damage is not None and part.damage.ghost is not None:
            ghost = _link(f"ghost{number}", to_blender(f"ghost{number}", part.damage.ghost, sharp=sharp))
            ghost.matrix_world = part.pose
            ghosts.append((number, ghost))
    lights = _light(session, rng)
    _camera(session, rng)
    return Station(parts, objects, ghosts, ground, lights)


def _wear(made: bpy.types.Object, material: bpy.types.Material) -> None:
    """Give an object its own material slot, so that copies of one mesh can look different."""
    if not made.data.materials:
        made.data.materials.append(None)
    made.material_slots[0].link = "OBJECT"
    made.material_slots[0].material = material


def _settings(size: int, samples: int, threads: int, *, picture: bool) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.view_settings.view_transform = "Raw"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.seed = "CPU", samples, 0
    cycles.use_adaptive_sampling = False
    cycles.sampling_pattern = "BLUE_NOISE"  # two samples of it, denoised, look better than three of Sobol's
    cycles.use_light_tree = False
    cycles.max_bounces = 2 if picture else 0
    cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces = 1, 2, 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect, cycles.sample_clamp_direct = 3.0, 12.0
    cycles.filter_width = 1.4 if picture else 0.01
    cycles.use_denoising = picture
    if picture:
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_prefilter = "NONE"
        cycles.denoising_input_passes = "RGB_ALBEDO"
        cycles.denoising_quality = "FAST"


def _shoot(size: int) -> FloatArray:
    """Render and read the picture back, (size, size, 3) linear, row 0 on top."""
    scene = bpy.context.scene
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shot.exr"
        scene.render.image_settings.file_format = "OPEN_EXR"
        scene.render.image_settings.color_depth = "32"
        scene.render.filepath = str(file)
        bpy.ops.render.render(write_still=True)
        loaded = bpy.data.images.load(str(file))
        flat = np.empty(size * size * 4, dtype=np.float32)
        loaded.pixels.foreach_get(flat)
        bpy.data.images.remove(loaded)
    return flat.reshape(size, size, 4)[::-1, :, :3].astype(np.float64)


def shoot_picture(station: Station, *, size: int, samples: int, threads: int) -> FloatArray:
    """Take the picture, (size, size, 3) linear light."""
    for _, ghost in station.ghosts:
        ghost.hide_render = True
    _settings(size, samples, threads, picture=True)
    return _shoot(size)


def shoot_masks(station: Station, *, size: int, threads: int, uncovered: bool = False) -> list[np.ndarray]:
    """Draw what is damaged and visible of every damaged part, a (size, size) bool each, in part order.

    Everything is replaced by flat colours: black where undamaged, one colour channel for each damaged
    part; what is missing of a part shines in the place where it should be. With ``uncovered`` the undamaged
    parts are taken away before.
    """
    scene = bpy.context.scene
    hit = [i for i, part in enumerate(station.parts) if part.damage is not None]
    black = mask_material(None, None)
    kept = [(o, o.material_slots[0].material) for o in station.objects]
    ground = station.support.data.materials[0]
    world, dof = scene.world, scene.camera.data.dof
    for number, made in enumerate(station.objects):
        part = station.parts[number]
        channel = hit.index(number) if number in hit else None
        _wear(made, black if channel is None else mask_material(channel, part.damage.decal))
        made.hide_render = uncovered and channel is None
    for number, ghost in station.ghosts:
        ghost.hide_render = False
        _wear(ghost, mask_material(hit.index(number), None, whole=True))
    station.support.data.materials[0] = black
    scene.world, dof.use_dof = None, False
    for lamp in station.lights:
        lamp.hide_render = True
    _settings(size, 1, threads, picture=False)
    drawn = _shoot(size)
    for made, material in kept:
        _wear(made, material)
        made.hide_render = False
    for _, ghost in station.ghosts:
        ghost.hide_render = True
    station.support.data.materials[0] = ground
    scene.world, dof.use_dof = world, True
    for lamp in station.lights:
        lamp.hide_render = False
    return [drawn[..., i] > 0.5 for i in range(len(hit))]
