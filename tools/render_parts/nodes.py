"""A thin way to write Blender shader graphs: one call a node, sockets by name."""

from __future__ import annotations

import bpy
import numpy as np

from .mesh import FloatArray

Socket = bpy.types.NodeSocket
Value = "Socket | float | tuple[float, ...]"


class Graph:
    """The node tree of one material or world, cleared."""

    def __init__(self, owner: bpy.types.Material | bpy.types.World) -> None:
        owner.use_nodes = True
        self.tree = owner.node_tree
        self.tree.nodes.clear()

    def node(
        self, kind: str, settings: dict[str, object] | None = None, inputs: dict[str | int, object] | None = None
    ) -> bpy.types.Node:
        """Add a node; ``inputs`` are sockets to link from, or values to set."""
        made = self.tree.nodes.new(kind)
        for name, value in (settings or {}).items():
            setattr(made, name, value)
        for name, value in (inputs or {}).items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, made.inputs[name])
            else:
                made.inputs[name].default_value = value
        return made

    def math(self, operation: str, *values: object, clamp: bool = False) -> Socket:
        """Return a scalar operation of one to three values."""
        return self.node(
            "ShaderNodeMath", {"operation": operation, "use_clamp": clamp}, dict(enumerate(values))
        ).outputs[0]

    def mix(self, share: object, first: object, second: object) -> Socket:
        """Mix two colours."""
        inputs: dict[str | int, object] = {0: share, 6: first, 7: second}
        return self.node("ShaderNodeMix", {"data_type": "RGBA"}, inputs).outputs[2]

    def image(self, image: bpy.types.Image, position: Socket, *, clip: bool = False) -> Socket:
        """Look an image up at ``position``."""
        settings: dict[str, object] = {"image": image, "extension": "CLIP" if clip else "REPEAT"}
        return self.node("ShaderNodeTexImage", settings, {"Vector": position}).outputs["Color"]

    def attribute(self, name: str) -> Socket:
        """Read a scalar vertex attribute."""
        return self.node("ShaderNodeAttribute", {"attribute_name": name}).outputs["Fac"]


def make_image(name: str, pixels: FloatArray) -> bpy.types.Image:
    """Turn (s, s, 3) numbers, row 0 at the bottom, into a linear Blender image."""
    height, width, _ = pixels.shape
    made = bpy.data.images.new(name, width, height, float_buffer=True, is_data=True)
    filled = np.ones((height, width, 4), dtype=np.float32)
    filled[..., :3] = pixels
    made.pixels.foreach_set(filled.ravel())
    made.pack()
    return made
