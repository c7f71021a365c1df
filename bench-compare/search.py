"""Search the same rows with Proxime and its peers, side by side: queries/s at equal recall, latency, memory.

Each engine's index is built once and kept in files; Proxime's is built anew. Then every engine has a process of its own with
its index loaded, and they take turns in rounds, so that a slow minute of the machine hits all of them.

    python bench-compare/search.py --data text-minilm-768 --engines proxime,hnswlib,symphonyqg
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median, quantiles

import build
import curves
import datasets
from engines import ENGINES
from facts import facts
from serve import Child

EFS = (10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 56, 68, 80, 96, 112, 136, 160, 192, 224, 272, 320, 448, 640, 896)
# Beams that find more than this are of no interest.
RECALL_MAX = 0.994
DEFAULT = "proxime-fast,proxime-default,proxime-high,hnswlib-100,faiss-100,faiss-sq8,usearch-bf16,symphonyqg,svs-f16"


def main() -> None:
    """Run what the command line asks for, data set by data set."""
    args = arguments()
    here = set(build.installed())
    engines = [name for name in args.engines if name in here and not name.startswith(("core", "proxime-memory"))]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts()}
    print(f"{about['cpu']}, load {about['load']}, revision {about['revision']}")
    for name in args.data:
        data = datasets.load(name, args.cache, args.fashion)
        print(f"\n## {name}: {data.origin['n']:,} x {data.origin['dim']}, {data.origin['what']}\n", flush=True)
        results = [{"data": name, **data.origin, **about, **result} for result in measure(data, engines, args)]
        with args.out.open("a") as out:
            out.writelines(json.dumps(result) + "\n" for result in results)
        print(curves.tables(results), flush=True)
        picture = args.out.parent / f"search-{name}"
        curves.picture(results, picture)
        print(f"\nPicture: {picture}.png and .svg")


def measure(data: datasets.Dataset, engines: list[str], args: argparse.Namespace) -> list[dict]:
    """One result an engine: its curve for each number of threads, its latencies, its memory."""
    folders = {engine: prepare(data, engine, args.cache / "indexes", max(args.threads)) for engine in engines}
    children = {engine: Child(engine, max(args.threads)) for engine in engines}
    files = {"queries": str(data.queries), "neighbors": str(data.neighbors), "n": data.origin["n"]}
    results = [
        {
            "engine": engine,
            "settings": ENGINES[engine].settings,
            "memory": child.ask("load", engine=engine, folder=str(folders[engine]), threads=1, **files)
            | {"disk": sum(file.stat().st_size for file in folders[engine].rglob("*") if file.is_file())},
            "curves": {},
        }
        for engine, child in children.items()
    ]
    for threads in args.threads:
        for result in results:
            children[result["engine"]].ask("use", threads=threads)
            result["curves"][threads] = [{"ef": ef, "recall": None, "runs": []} for ef in EFS]
        for _ in range(args.rounds):
            for result in results:
                result["curves"][threads] = sweep(children[result["engine"]], result["curves"][threads])
        if threads == 1:
            for _ in range(args.rounds):
                for result in results:
                    singly(children[result["engine"]], result)
    for child in children.values():
        child.end()
    return results


def prepare(data: datasets.Dataset, engine: str, cache: Path, threads: int) -> Path:
    """Where the engine's index of these rows is, after building it if it must be."""
    folder = cache / f"{data.name}-{engine}-{ENGINES[engine].version}"
    if ENGINES[engine].package == "proxime" or not folder.exists():
        child = Child(engine, threads)
        taken = child.ask("build", engine=engine, base=str(data.base), folder=str(folder), threads=threads)
        child.end()
        print(f"{engine}: built in {taken['seconds']:.1f} s", flush=True)
    return folder


def sweep(child: Child, points: list[dict]) -> list[dict]:
    """One more run of each point, up to the first that finds enough; what lies beyond is dropped."""
    for number, point in enumerate(points, 1):
        answer = child.ask("batch", ef=point["ef"])
        point["recall"] = answer["recall"]
        point["runs"].append(answer["qps"])
        point["qps"] = median(point["runs"])
        if point["recall"] > RECALL_MAX:
            return points[:number]
    return points


def singly(child: Child, result: dict) -> None:
    """Latencies at each recall of interest, with the beam that the sweep says it takes; the best round counts."""
    latencies = result.setdefault("latencies", {})
    for recall in curves.RECALLS:
        ef = curves.ef_for(result["curves"][1], recall)
        if ef is not None:
            percentiles = quantiles(child.ask("singly", ef=ef)["us"], n=100)
            new = {"ef": ef, "p50": percentiles[49], "p99": percentiles[98]}
            latencies[recall] = min(new, latencies.get(recall, new), key=lambda of: of["p50"])


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build.sets(parser, ["text-minilm-768"], "search.jsonl")
    parser.add_argument("--engines", type=build.chosen, default=DEFAULT, help=f"or first words, of {', '.join(ENGINES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default="1,2")
    return parser.parse_args()


if __name__ == "__main__":
    main()
