"""Judging on many machines: Ray hands images to workers, rows are kept as they come and survive a kill."""

from anomaly.cluster.kept_rows import KeptRows
from anomaly.cluster.parquet import write_parquet
from anomaly.cluster.workers import Judgement, judge_on_cluster

__all__ = ["Judgement", "KeptRows", "judge_on_cluster", "write_parquet"]
