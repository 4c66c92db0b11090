from __future__ import annotations

import numpy as np

from anomaly.embedding.whitening import fit_whitening


def test_whitened_embeddings_have_zero_mean_and_unit_covariance() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    embeddings = (rng.normal(size=(20_000, 6)) @ mixing + 3.0).astype(np.float32)
    whitened = fit_whitening(embeddings, shrinkage=1e-6).apply(embeddings)
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(6), atol=2e-2)


def test_hand_worked_example() -> None:
    """Two independent axes with standard deviations 2 and 1/2: whitening divides by them."""
    embeddings = np.array([[2, 0.5], [2, -0.5], [-2, 0.5], [-2, -0.5]], dtype=np.float32) * np.sqrt(0.75)
    whitening = fit_whitening(embeddings.astype(np.float32), shrinkage=1e-9)
    np.testing.assert_allclose(whitening.matrix, np.diag([0.5, 2.0]), atol=1e-4)


def test_shrinkage_bounds_what_a_direction_without_variance_is_worth() -> None:
    embeddings = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    embeddings[:, 0] = 1.0
    whitening = fit_whitening(embeddings, shrinkage=0.01)
    assert np.isfinite(whitening.matrix).all()
    assert np.abs(whitening.matrix).max() < 15


def test_embeddings_that_are_all_the_same_stay_finite() -> None:
    embeddings = np.full((50, 3), 7.0, dtype=np.float32)
    assert np.allclose(fit_whitening(embeddings).apply(embeddings), 0)
