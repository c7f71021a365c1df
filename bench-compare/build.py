"""Build graphs from the same arrays with Proxime and its peers, side by side: rates, memory, quality of the graphs.

Engines take turns in rounds, each build in a process of its own, so that a slow minute of the machine hits all of them. The
graph of an engine's first round also answers the queries, and that of `proxime-core` takes inserts and deletes. Every build
is one line of the results file.

    python bench-compare/build.py --data text-minilm-768,mixture-100k --rounds 3
"""

import argparse
import json
import time
from pathlib import Path

import datasets
import measure
import tables
from engines import ENGINES
from facts import ROOT, facts

SCALE = (1_000, 5_000, 10_000, 25_000, 50_000)
# The sets whose rates are compared to see whether more rows cost more each.
GROWTH = ("mixture-100k", "mixture-1m")


def main() -> None:
    """Run what the command line asks for, data set by data set."""
    args = arguments()
    engines = args.engines or installed()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "threads": args.threads, **facts()}
    print(f"{about['cpu']}, {args.threads} threads, load {about['load']}, revision {about['revision']}")
    built = {}
    for name in args.data:
        dataset = datasets.load(name, args.cache, args.fashion)
        bench = Bench(dataset, engines, args, about)
        print(f"\n## {name}: {dataset.origin['n']:,} x {dataset.origin['dim']}, {dataset.origin['what']}\n")
        built[name] = bench.rounds("build", [dataset.origin["n"]])
        report(built[name])
        if args.scale:
            sizes = [n for n in SCALE if n <= dataset.origin["n"]]
            print(f"\nvec/s by rows:\n\n{tables.scale(bench.rounds('scale', sizes))}", flush=True)
    if all(name in built for name in GROWTH):
        few, many = (built[name] for name in GROWTH)
        print(f"\n## {' and '.join(GROWTH)}\n\n{tables.growth(few + many, few[0]['n'], many[0]['n'])}", flush=True)


def report(results: list[dict]) -> None:
    """Everything about the builds of all rows of one set."""
    print(f"{tables.rates(results)}\n\nRecall@10 and distances a query:\n\n{tables.quality(results)}")
    if any("stages" in result for result in results):
        print(f"\nStages of proxime-core:\n\n{tables.stages(results)}\n\n{tables.graphs(results)}")
        print(f"\nChanges, with recall@10 / distances a query:\n\n{tables.changes(results)}", flush=True)


class Bench:
    """The builds on one data set."""

    def __init__(self, dataset: datasets.Dataset, engines: list[str], args: argparse.Namespace, about: dict) -> None:
        """Keep what every build of this set needs."""
        self.dataset = dataset
        self.engines = engines
        self.args = args
        self.about = about

    def rounds(self, kind: str, sizes: list[int]) -> list[dict]:
        """All engines in turn, `--rounds` times, at each size."""
        turns = ((i, n, engine) for i in range(self.args.rounds) for n in sizes for engine in self.engines)
        return [self.one(kind, *turn) for turn in turns]

    def one(self, kind: str, number: int, n: int, engine: str) -> dict:
        """One build, written to the results file before the next begins."""
        data = self.dataset
        result = measure.run(
            {
                "engine": engine,
                "base": str(data.base),
                "n": n,
                "threads": self.args.threads,
                "scratch": str(self.args.cache),
                "queries": str(data.queries),
                "neighbors": str(data.neighbors),
                "sweep": kind == "build" and number == 0,
            }
        )
        of = {"kind": kind, "data": data.name, **data.origin, "n": n, "engine": engine, "round": number}
        line = self.about | of | {"settings": ENGINES[engine].settings} | result
        with self.args.out.open("a") as out:
            out.write(json.dumps(line) + "\n")
        return line


def arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets(parser, ["text-minilm-768"], "results.jsonl")
    parser.add_argument("--engines", type=chosen, help=f"or first words; default: all installed of {', '.join(ENGINES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", action="store_true", help="also build from the first 1,000 to 50,000 rows")
    return parser.parse_args()


def sets(parser: argparse.ArgumentParser, default: list[str], out: str) -> None:
    """The options of every program that measures on data sets: which, where they lie, and where results go."""
    parser.add_argument("--data", type=names(datasets.NAMES), default=default, help=", ".join(datasets.NAMES))
    parser.add_argument("--fashion", type=Path, metavar="FILE.npz", help="Fashion-MNIST for fashion-784")
    parser.add_argument("--cache", type=Path, default=ROOT / "target" / "bench-data", help="where data sets and stores lie")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "bench-results" / out)


def names(known: object) -> object:
    """A parser of `a,b,c` that takes only known names."""

    def parse(text: str) -> list[str]:
        unknown = [name for name in text.split(",") if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return text.split(",")

    return parse


def chosen(text: str) -> list[str]:
    """Those named in `a,b,c`, by their name or by its first word, in the order of the table."""
    words = text.split(",")
    first_words = {name.split("-")[0] for name in ENGINES}
    names([*ENGINES, *first_words])(text)
    return [name for name in ENGINES if name in words or name.split("-")[0] in words]


def installed() -> list[str]:
    """The engines whose packages are here; says which are not."""
    missing = {engine.package for engine in ENGINES.values() if engine.version is None}
    if missing:
        print(f"not installed, left out: {', '.join(sorted(missing))}")
    return [name for name, engine in ENGINES.items() if engine.version is not None]


if __name__ == "__main__":
    main()
