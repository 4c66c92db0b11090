"""The only place that knows anomalib; it is imported when a function here is called, not before."""

from anomaly.interop.anomalib_metrics import PixelMetrics, pixel_metrics

__all__ = ["PixelMetrics", "pixel_metrics"]
