"""Work on many machines: Ray hands images to workers, rows are kept as they come and survive a kill."""

from anomaly.cluster.embedding import embedding_on_cluster
from anomaly.cluster.kept_rows import KeptRows
from anomaly.cluster.parquet import write_parquet
from anomaly.cluster.workers import Judgement, judge_on_cluster

__all__ = ["Judgement", "KeptRows", "embedding_on_cluster", "judge_on_cluster", "write_parquet"]
