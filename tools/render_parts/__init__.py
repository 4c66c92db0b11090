"""Rendered photographs of batches of springs and gears, with exact masks of their damages.

Run ``python -m tools.render_parts --help``; needs the extra ``render`` (Blender as a Python module).
"""
