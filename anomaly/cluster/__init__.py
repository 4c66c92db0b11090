"""Work shared by processes, of this machine or of a Ray cluster; rows are kept as they come and survive a kill."""

from anomaly.cluster.embedding import embedding_on_cluster
from anomaly.cluster.judge import Judgement, Order
from anomaly.cluster.kept_rows import KeptRows
from anomaly.cluster.parquet import check_parquet, write_parquet
from anomaly.cluster.processes import judge_in_processes, worthwhile
from anomaly.cluster.ray_workers import judge_on_cluster

__all__ = [
    "Judgement",
    "KeptRows",
    "Order",
    "check_parquet",
    "embedding_on_cluster",
    "judge_in_processes",
    "judge_on_cluster",
    "worthwhile",
    "write_parquet",
]
