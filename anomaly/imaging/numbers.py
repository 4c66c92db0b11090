"""Scores as they stand in a sentence."""

from __future__ import annotations


def score_text(score: float, digits: int = 3) -> str:
    """Write a score with so many significant digits, zeros among them: 1.00, not 1."""
    return f"{score:#.{digits}g}".rstrip(".")
