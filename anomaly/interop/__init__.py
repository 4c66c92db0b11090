"""The only place that knows anomalib; it is imported when a function here is called, not before."""

from anomaly.interop.anomalib_metrics import PixelMetrics, pixel_metrics
from anomaly.interop.pixel_histograms import PixelHistograms, pixel_histograms

__all__ = ["PixelHistograms", "PixelMetrics", "pixel_histograms", "pixel_metrics"]
