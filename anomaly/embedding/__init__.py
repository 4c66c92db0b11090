"""From network pixels to patch embeddings: backbone registry, embedding network, runtimes.

The network is written once in torch (:mod:`~anomaly.embedding.network`), exported to OpenVINO IR
(:func:`anomaly.embedding.openvino_runtime.export`) and executed by one of two runtimes that agree within a tested
tolerance.
"""

from anomaly.embedding.registry import Backbone, Tap, backbone, backbone_names
from anomaly.embedding.runtime import Runtime
from anomaly.embedding.whitening import Whitening, fit_whitening

__all__ = ["Backbone", "Runtime", "Tap", "Whitening", "backbone", "backbone_names", "fit_whitening"]
