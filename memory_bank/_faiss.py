"""The only importer of FAISS: k-means over the rows of a bank too large to search in full."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from memory_bank.types import Float32Array

with warnings.catch_warnings():
    # SWIG types without __module__, deprecated since Python 3.12; not ours to mend.
    warnings.simplefilter("ignore", DeprecationWarning)
    import faiss

# Rounds of k-means, and rows for each centre that it looks at.
_ROUNDS, _PER_CENTRE = 6, 32


def divide(placed: Float32Array) -> tuple[Float32Array, npt.NDArray[np.int32]]:
    """Divide rows, (m, d), into cells, some 2.5 times the square root of m; the same rows give the same cells.

    Returns
    -------
    centre : ndarray of float32, (C, d)
    cell : ndarray of int32, (m,)
        Whose centre is nearest to each row.
    """
    count = 1 << int(np.log2(2.5 * np.sqrt(placed.shape[0])))
    inverted = faiss.IndexIVFFlat(faiss.IndexFlatL2(placed.shape[1]), placed.shape[1], count)
    inverted.cp.niter, inverted.cp.seed = _ROUNDS, 1
    inverted.cp.min_points_per_centroid, inverted.cp.max_points_per_centroid = 1, _PER_CENTRE
    inverted.train(placed)
    cell = inverted.quantizer.search(placed, 1)[1][:, 0]
    return inverted.quantizer.reconstruct_n(0, count), cell.astype(np.int32)
