"""Runs VectorDBBench on vectors of your own with Proxime: `python run.py FOLDER`.

`FOLDER` has `train.parquet` (id, emb), `test.parquet` (id, emb) and `neighbors.parquet` (id, neighbors_id: the true ones).

VectorDBBench has no hook for other clients, so its client that does nothing is replaced. This is done whenever this module is
imported, for its processes import it again: done only in `main`, they would measure the client that does nothing.
"""

import argparse
import tempfile
from pathlib import Path

import pyarrow.parquet as parquet
from vectordb_bench.backend.assembler import Assembler
from vectordb_bench.backend.cases import CaseType
from vectordb_bench.backend.clients import DB
from vectordb_bench.backend.clients.test import test as nothing
from vectordb_bench.backend.clients.test.config import TestConfig, TestIndexConfig
from vectordb_bench.backend.data_source import DatasetSource
from vectordb_bench.models import CaseConfig, ConcurrencySearchConfig, TaskConfig

from client import Proxime

nothing.Test = Proxime


class Config(TestConfig):
    """Where the database is, and how it is made and searched."""

    path: str
    metric: str
    preset: str
    ef: int

    def to_dict(self):
        return {"path": self.path, "metric": self.metric, "preset": self.preset, "ef": self.ef}


def task(arguments, path):
    train = parquet.ParquetFile(arguments.folder / "train.parquet")
    (first,) = next(train.iter_batches(1, columns=["emb"])).column("emb").to_pylist()
    dataset = {
        "name": arguments.folder.name,
        "dir": str(arguments.folder),
        "size": train.metadata.num_rows,
        "dim": len(first),
        "metric_type": arguments.metric,
    }
    custom = {"name": "own", "description": "", "load_timeout": 36_000, "optimize_timeout": 36_000, "dataset_config": dataset}
    search = ConcurrencySearchConfig(num_concurrency=arguments.processes, concurrency_duration=arguments.seconds)
    return TaskConfig(
        db=DB.Test,
        db_config=Config(path=path, metric=arguments.metric, preset=arguments.preset, ef=arguments.ef),
        db_case_config=TestIndexConfig(),
        case_config=CaseConfig(
            case_id=CaseType.PerformanceCustomDataset, custom_case=custom, k=arguments.k, concurrency_search_config=search
        ),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--metric", choices=["L2", "COSINE", "IP"], default="L2")
    parser.add_argument("--preset", choices=["fast", "default", "high"], default="default")
    parser.add_argument("--ef", type=int, default=64)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runner = Assembler.assemble("run", task(arguments, f"{folder}/db"), DatasetSource.S3)
        found = runner.run(drop_old=True)
    print(f"load {found.load_duration} s (of it optimise {found.optimize_duration} s), recall {found.recall}, "
          f"p99 of one {1_000 * found.serial_latency_p99:.2f} ms")
    for processes, qps in zip(found.conc_num_list, found.conc_qps_list):
        print(f"{processes} processes: {qps:.0f} queries/s")


if __name__ == "__main__":
    main()
