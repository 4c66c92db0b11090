"""Parts against tray: a linear rule on the tray features, learned without labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from anomaly.imaging._grids import dilate, erode
from anomaly.imaging._tray import FEATURES, Compartments
from anomaly.imaging.components import label_components
from anomaly.types import BoolArray, Float32Array, Float64Array

_ENERGY = 3  # the feature that the first guess rests on: gradient over 3 pixels
_ROUNDS = 3
_PLAINLY_TRAY = -2.5  # logarithm of the odds below which an enclosed place is tray
_DARK_INSIDE = 6  # how much larger than other holes may be what is not plainly tray


def learn_rule(features: Sequence[Float32Array], compartments: Compartments) -> tuple[Float64Array, list[BoolArray]]:
    """Learn which tray features are parts.

    The first guess takes for a part what edges enclose (gradient above Otsu's threshold, 1979,
    https://doi.org/10.1109/TSMC.1979.4310076, gaps closed and holes filled); a logistic regression learns from
    it how brightness and colour go with parts, and is trained twice more on what it says itself.

    Parameters
    ----------
    features : sequence of ndarray of float32, (FEATURES, h, w)
    compartments : Compartments

    Returns
    -------
    rule : ndarray of float64, (1 + FEATURES,)
        Constant and factors; positive is part.
    first : list of ndarray of bool, (h, w)
        The first guess.
    """
    threshold = _otsu(np.concatenate([feature[_ENERGY, ::3, ::3].ravel() for feature in features]))
    first = [
        _in_compartments(feature[_ENERGY] - np.float32(threshold), compartments, close=2, open_=3)
        for feature in features
    ]
    samples = np.concatenate([feature[:, ::3, ::3].reshape(FEATURES, -1) for feature in features], axis=1).T
    masks = first
    rule = np.zeros(1 + FEATURES)
    for _ in range(_ROUNDS):
        is_part = np.concatenate([mask[::3, ::3].ravel() for mask in masks])
        if not is_part.any() or is_part.all():
            break
        rule = _logistic(samples.astype(np.float64), is_part)
        masks = [foreground(feature, rule, compartments) for feature in features]
    return rule, first


def foreground(
    features: Float32Array, rule: Float64Array, compartments: Compartments, *, largest_hole: float = math.inf
) -> BoolArray:
    """Say where parts are, (h, w): the rule, gaps closed, enclosed places up to a size filled, specks removed."""
    odds = np.full(features.shape[1:], np.float32(rule[0]))
    for factor, feature in zip(rule[1:], features, strict=True):
        odds += np.float32(factor) * feature
    return _in_compartments(odds, compartments, close=1, open_=2, largest_hole=largest_hole)


def _in_compartments(
    odds: Float32Array, compartments: Compartments, *, close: int, open_: int, largest_hole: float = math.inf
) -> BoolArray:
    """Close, fill and open each compartment by itself, dividers left out."""
    cleaned = np.zeros(odds.shape, dtype=np.bool_)
    for place in compartments.slices(*odds.shape):
        cell = np.pad(odds[place] > 0, close, mode="edge")
        cell = erode(dilate(cell, close), close)[close:-close, close:-close]
        cleaned[place] = dilate(erode(_fill(cell, odds[place], largest_hole), open_), open_)
    return cleaned


def _fill(mask: BoolArray, odds: Float32Array, largest: float) -> BoolArray:
    """Fill what the mask encloses, if it is small or not plainly tray; what reaches the border is outside."""
    labels, count = label_components(~mask)
    area = np.bincount(labels.ravel(), minlength=count + 1)
    mean = np.bincount(labels.ravel(), odds.ravel(), count + 1) / np.maximum(area, 1)
    hole = (area <= largest) | ((mean > _PLAINLY_TRAY) & (area <= _DARK_INSIDE * largest))
    hole[0] = False
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        hole[side] = False
    filled: BoolArray = mask | hole[labels]
    return filled


def _otsu(values: Float32Array) -> float:
    """Threshold that divides values into the two classes furthest apart."""
    count, edges = np.histogram(values, bins=128)
    centre = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(count)[:-1]
    moment = np.cumsum(count * centre)
    above = values.size - below
    between = (moment[-1] * below / values.size - moment[:-1]) ** 2 / np.maximum(below * above, 1)
    return float(edges[1 + int(np.argmax(between))])


def _logistic(samples: Float64Array, is_part: BoolArray) -> Float64Array:
    """Logistic regression with both classes weighing alike, by Newton's method; (1 + features,)."""
    mean, spread = samples.mean(axis=0), samples.std(axis=0) + 1e-6
    inputs = np.concatenate([np.ones((len(samples), 1)), (samples - mean) / spread], axis=1)
    share = is_part.mean()
    balance = np.where(is_part, 0.5 / share, 0.5 / (1 - share)) / len(samples)
    penalty = 1e-3 * np.concatenate([[0.0], np.ones(samples.shape[1])])
    factors = np.zeros(inputs.shape[1])
    for _ in range(12):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ factors, -30, 30)))
        slope = inputs.T @ (balance * (chance - is_part)) + penalty * factors
        bend = (inputs * (balance * chance * (1 - chance))[:, None]).T @ inputs + np.diag(penalty + 1e-6)
        factors -= np.linalg.solve(bend, slope)
    scaled = factors[1:] / spread
    return np.concatenate([[factors[0] - scaled @ mean], scaled])
