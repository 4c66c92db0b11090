"""Materials: turned steel, drawn wire, tray or belt, and the flat ones that draw the masks."""

from __future__ import annotations

import bpy
import numpy as np

from .damage import Decal
from .nodes import Graph, Socket, make_image
from .textures import Support

RUST_DARK = (0.045, 0.018, 0.009, 1.0)
RUST_LIGHT = (0.28, 0.105, 0.032, 1.0)


def _colour(rgb: tuple[float, float, float]) -> tuple[float, float, float, float]:
    return (*rgb, 1.0)


def _grime(g: Graph, atlas: bpy.types.Image, position: Socket, scale: float) -> list[Socket]:
    """Scratches, oil and specks at a place of the part; each part has its own cut of the atlas."""
    own = g.node("ShaderNodeObjectInfo").outputs["Color"]
    where = g.node("ShaderNodeVectorMath", {"operation": "MULTIPLY_ADD"}, {0: position, 1: (scale,) * 3, 2: own})
    split = g.node("ShaderNodeSeparateColor", None, {"Color": g.image(atlas, where.outputs[0])})
    return list(split.outputs)


def _rusty(g: Graph, metal: Socket, amount: Socket, position: Socket, normal: Socket | None) -> Socket:
    """Cover a metal shader by rust where ``amount`` says so."""
    flake = g.node("ShaderNodeTexNoise", None, {"Vector": position, "Scale": 14.0, "Detail": 3.0}).outputs[0]
    shade = g.node("ShaderNodeMapRange", None, {"Value": flake, "From Min": 0.35, "From Max": 0.68}).outputs[0]
    bump = g.node("ShaderNodeBump", None, {"Height": flake, "Distance": 0.03, "Strength": 0.8})
    if normal is not None:
        g.tree.links.new(normal, bump.inputs["Normal"])
    inputs: dict[str | int, object] = {
        "Base Color": g.mix(shade, RUST_DARK, RUST_LIGHT),
        "Roughness": 0.85,
        "Specular IOR Level": 0.2,
        "Normal": bump.outputs[0],
    }
    rust = g.node("ShaderNodeBsdfPrincipled", None, inputs).outputs[0]
    return g.node("ShaderNodeMixShader", None, {0: amount, 1: metal, 2: rust}).outputs[0]


def _decal_position(g: Graph, position: Socket, reach: float) -> Socket:
    scale = 0.5 / reach
    settings: dict[str, object] = {"operation": "MULTIPLY_ADD"}
    return g.node("ShaderNodeVectorMath", settings, {0: position, 1: (scale, scale, 0), 2: (0.5, 0.5, 0)}).outputs[0]


def gear_material(
    tint: tuple[float, float, float], roughness: float, atlas: bpy.types.Image, decal: Decal | None
) -> bpy.types.Material:
    """Return turned metal with tool marks, scratches and oil, and a painted damage if there is one."""
    material = bpy.data.materials.new("gear")
    g = Graph(material)
    position = g.node("ShaderNodeTexCoord").outputs["Object"]
    axes = g.node("ShaderNodeSeparateXYZ", None, {0: position})
    radius = g.math("SQRT", g.math("ADD", g.math("POWER", axes.outputs[0], 2.0), g.math("POWER", axes.outputs[1], 2.0)))
    marks = g.node(
        "ShaderNodeTexNoise", {"noise_dimensions": "1D"}, {"W": radius, "Scale": 17.0, "Detail": 2.0, "Roughness": 0.7}
    ).outputs[0]
    scratch, oil, speck = _grime(g, atlas, position, 0.17)[:3]
    height = g.math("MULTIPLY_ADD", marks, 0.0075, g.math("MULTIPLY", scratch, -0.0014))
    dark: Socket | None = None
    if decal is not None:
        painted = make_image("decal", np.stack([decal.rust, decal.dark, 0.5 + decal.height], axis=-1))
        layers = g.node(
            "ShaderNodeSeparateColor",
            None,
            {"Color": g.image(painted, _decal_position(g, position, decal.reach), clip=True)},
        )
        height = g.math("ADD", height, layers.outputs[2])
        dark = layers.outputs[1]
    broken = g.attribute("fracture")
    grain = g.node("ShaderNodeTexNoise", None, {"Vector": position, "Scale": 16.0, "Detail": 3.0}).outputs[0]
    height = g.math("MULTIPLY_ADD", g.math("MULTIPLY", grain, broken), 0.09, height)
    bump = g.node("ShaderNodeBump", None, {"Height": height, "Distance": 1.0, "Strength": 1.0}).outputs[0]
    film = g.math("MULTIPLY", oil, 0.30)
    base = g.mix(film, _colour(tint), (0.20, 0.17, 0.12, 1.0))
    base = g.mix(g.math("MULTIPLY", speck, 0.75), base, (0.05, 0.045, 0.04, 1.0))
    base = g.mix(g.math("MULTIPLY", scratch, 0.25), base, (0.85, 0.85, 0.84, 1.0))
    rough = g.math("MULTIPLY_ADD", marks, 0.16, roughness - 0.08)
    rough = g.math("MULTIPLY_ADD", oil, -0.10, g.math("MULTIPLY_ADD", speck, 0.3, rough))
    rough = g.math("MULTIPLY_ADD", broken, 0.22, rough, clamp=True)
    metallic: object = g.math("SUBTRACT", 1.0, g.math("MULTIPLY", speck, 0.8))
    if dark is not None:
        base = g.mix(dark, base, (0.006, 0.005, 0.005, 1.0))
        metallic = g.math("MULTIPLY", metallic, g.math("SUBTRACT", 1.0, dark))
        rough = g.math("MULTIPLY_ADD", dark, 0.5, rough, clamp=True)
    inputs: dict[str | int, object] = {
        "Base Color": base,
        "Metallic": metallic,
        "Roughness": rough,
        "Normal": bump,
        "Anisotropic": g.math("MULTIPLY", g.math("SUBTRACT", 1.0, broken), 0.75),
        "Tangent": g.node("ShaderNodeTangent", {"direction_type": "RADIAL", "axis": "Z"}).outputs[0],
    }
    shader = g.node("ShaderNodeBsdfPrincipled", None, inputs).outputs[0]
    if decal is not None and decal.rust.any():
        shader = _rusty(g, shader, layers.outputs[0], position, bump)
    g.node("ShaderNodeOutputMaterial", None, {0: shader})
    return material


def wire_material(tint: tuple[float, float, float], roughness: float, atlas: bpy.types.Image) -> bpy.types.Material:
    """Return drawn spring wire: die marks along the wire, oil, a little tarnish, rust where the mesh says so."""
    material = bpy.data.materials.new("wire")
    g = Graph(material)
    position = g.node("ShaderNodeTexCoord").outputs["Object"]
    along = g.node("ShaderNodeUVMap").outputs[0]
    stretched = g.node("ShaderNodeVectorMath", {"operation": "MULTIPLY"}, {0: along, 1: (0.5, 3.0, 0.0)}).outputs[0]
    marks = g.node(
        "ShaderNodeTexNoise", {"noise_dimensions": "2D"}, {"Vector": stretched, "Scale": 1.6, "Detail": 2.0}
    ).outputs[0]
    scratch, oil, speck = _grime(g, atlas, position, 0.26)[:3]
    base = g.mix(g.math("MULTIPLY", oil, 0.42), _colour(tint), (0.17, 0.14, 0.10, 1.0))
    base = g.mix(g.math("MULTIPLY", speck, 0.7), base, (0.05, 0.045, 0.04, 1.0))
    rough = g.math("MULTIPLY_ADD", marks, 0.24, roughness - 0.12)
    rough = g.math("MULTIPLY_ADD", scratch, 0.12, rough)
    rough = g.math("MULTIPLY_ADD", g.attribute("fracture"), 0.3, rough, clamp=True)
    height = g.math("MULTIPLY_ADD", marks, 0.010, g.math("MULTIPLY", scratch, -0.002))
    bump = g.node("ShaderNodeBump", None, {"Height": height, "Distance": 1.0, "Strength": 1.0}).outputs[0]
    inputs: dict[str | int, object] = {
        "Base Color": base,
        "Roughness": rough,
        "Normal": bump,
        "Metallic": g.math("SUBTRACT", 1.0, g.math("MULTIPLY", speck, 0.7)),
    }
    shader = g.node("ShaderNodeBsdfPrincipled", None, inputs).outputs[0]
    blotch = g.node("ShaderNodeTexNoise", None, {"Vector": position, "Scale": 9.0, "Detail": 3.0}).outputs[0]
    rust = g.math("MULTIPLY_ADD", g.math("SUBTRACT", blotch, 0.5), 1.6, g.attribute("rust"))
    rust = g.math(
        "MULTIPLY",
        g.math("MULTIPLY", g.math("SUBTRACT", rust, 0.25), 3.0, clamp=True),
        g.math("GREATER_THAN", g.attribute("rust"), 0.02),
    )
    shader = _rusty(g, shader, rust, position, bump)
    g.node("ShaderNodeOutputMaterial", None, {0: shader})
    return material


def support_material(painted: Support, edge: float) -> bpy.types.Material:
    """Return tray or belt; the painting covers a square of ``edge`` cm."""
    material = bpy.data.materials.new("support")
    g = Graph(material)
    position = g.node("ShaderNodeTexCoord").outputs["Object"]
    settings: dict[str, object] = {"operation": "MULTIPLY_ADD"}
    where = g.node("ShaderNodeVectorMath", settings, {0: position, 1: (1 / edge,) * 3, 2: (0.5, 0.5, 0.5)}).outputs[0]
    colour = g.image(make_image("colour", painted.colour), where)
    relief = make_image("relief", np.stack([painted.roughness, 0.5 + painted.height, painted.height * 0], axis=-1))
    layers = g.node("ShaderNodeSeparateColor", None, {"Color": g.image(relief, where)})
    bump = g.node("ShaderNodeBump", None, {"Height": layers.outputs[1], "Distance": 1.0, "Strength": 1.0}).outputs[0]
    inputs: dict[str | int, object] = {
        "Base Color": colour,
        "Roughness": layers.outputs[0],
        "Normal": bump,
        "Specular IOR Level": 0.45,
    }
    g.node("ShaderNodeOutputMaterial", None, {0: g.node("ShaderNodeBsdfPrincipled", None, inputs).outputs[0]})
    return material


def mask_material(channel: int | None, decal: Decal | None, *, whole: bool = False) -> bpy.types.Material:
    """Return a flat material that shines in one colour channel where the part is damaged, else black.

    ``whole`` makes all of it shine.
    """
    material = bpy.data.materials.new("mask")
    g = Graph(material)
    strength: object = 0.0
    if whole:
        strength = 1.0
    elif channel is not None and decal is not None:
        painted = make_image("mask", np.repeat(decal.mask[..., None], 3, axis=-1))
        position = g.node("ShaderNodeTexCoord").outputs["Object"]
        strength = g.image(painted, _decal_position(g, position, decal.reach), clip=True)
    elif channel is not None:
        strength = g.math("GREATER_THAN", g.attribute("damage"), 0.5)
    colour = tuple(float(channel == i) for i in range(3))
    glow = g.node("ShaderNodeEmission", None, {"Color": (*colour, 1.0), "Strength": strength}).outputs[0]
    g.node("ShaderNodeOutputMaterial", None, {0: glow})
    return material
