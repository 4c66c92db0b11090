"""From linear light to a camera's JPEG: exposure, vignetting, lens, sensor noise, tone curve, file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from .law import Session
from .mesh import FloatArray


def develop(light: FloatArray, session: Session, rng: np.random.Generator) -> bytes:
    """Return the JPEG file of a picture given in linear light.

    Parameters
    ----------
    light : ndarray of float64, (h, w, 3)
    session : Session
    rng : numpy.random.Generator
        Of this picture.
    """
    h, w, _ = light.shape
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    centre = rng.normal(0, 0.03, 2)
    fall = 1 - session.vignette * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2
    gain = 2.0 ** (session.exposure + rng.normal(0, 0.035))
    seen = np.maximum(light, 0) * fall[..., None] * gain
    full_well = 14000 / session.noise
    shot = rng.standard_normal(seen.shape) * np.sqrt(seen / full_well)
    read = rng.standard_normal(seen.shape) * 0.0013 * session.noise
    rows = rng.standard_normal((h, 1, 1)) * 0.0003 * session.noise
    sensed = np.maximum(seen + shot + read + rows, 0)
    toned = _tone(sensed)
    picture = Image.fromarray((np.clip(toned, 0, 1) * 255 + 0.5).astype(np.uint8))
    soft = picture.filter(ImageFilter.GaussianBlur(session.sharpness))
    crisp = soft.filter(ImageFilter.UnsharpMask(radius=1.2, percent=55, threshold=1))
    file = io.BytesIO()
    crisp.save(file, "JPEG", quality=session.jpeg_quality, optimize=True, subsampling=2)
    return file.getvalue()


def _tone(light: FloatArray) -> FloatArray:
    """Map linear light to display values in [0, 1]: a shoulder for the highlights, then sRGB.

    The shoulder is the curve x (1 + x / m^2) / (1 + x) of Reinhard et al. 2002, equation 4, with
    white at m = 4, on light scaled so that middle grey keeps its place.
    """
    x = light * 1.25
    rolled = x * (1 + x / 16.0) / (1 + x)
    rolled = np.clip(rolled, 0, 1)
    low = rolled <= 0.0031308
    return np.where(low, 12.92 * rolled, 1.055 * np.maximum(rolled, 1e-9) ** (1 / 2.4) - 0.055)
