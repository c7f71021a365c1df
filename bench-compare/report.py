"""One page of everything that was measured: curves, bars, tables. No script, no font, nothing fetched.

It measures nothing. It draws the last run on each data set from the files that the programs beside it append to.

    python bench-compare/report.py out/
"""

import argparse
import html
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import curves
import tables
from facts import ROOT

STYLE = Path(__file__).with_name("report.css")
WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 36, 12, 60
# Commands, and which results are theirs.
KINDS = {"build": ("build", "scale"), "search": (None,), "lists": ("lists",), "ingest": ("ingest",), "calls": ("calls",)}
# Shares of the recall axis that are marked.
RECALL_TICKS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def main() -> None:
    """Write `index.html` to the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="a folder; made if it is not there")
    parser.add_argument("--results", type=Path, default=ROOT / "target" / "bench-results", help="where the results are")
    args = parser.parse_args()
    results = [line for name in ("results.jsonl", "search.jsonl") for line in lines(args.results / name)]
    if not results:
        parser.error(f"no results in {args.results}: run `cargo xtask bench build` and `cargo xtask bench search` first")
    args.out.mkdir(parents=True, exist_ok=True)
    page = args.out / "index.html"
    page.write_text(document(results), encoding="utf-8")
    print(f"report: {page}")


HEAD = (
    "<h1>Proxime, measured</h1><p>Proxime beside other libraries: the same data, the same threads, in one run, taking turns. "
    "Rates are medians of the turns. On a shared machine read the ratios.</p>"
)


def lines(file: Path) -> list[dict]:
    """The results in a file of them; none if it is not there."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def latest(results: list[dict], of: Callable[[dict], bool]) -> dict[str, list[dict]]:
    """By data set, the results of the last run that are as wanted."""
    sets: dict[str, list[dict]] = {}
    for result in filter(of, results):
        sets.setdefault(result["data"], []).append(result)
    last = {name: max(result["run"] for result in found) for name, found in sets.items()}
    return {name: [r for r in found if r["run"] == last[name]] for name, found in sets.items()}


def document(results: list[dict]) -> str:
    """The whole page."""
    newest = max(results, key=lambda result: result["run"])
    parts = [
        HEAD,
        *(search(name, of) for name, of in latest(results, lambda r: "curves" in r).items()),
        *(build(name, of) for name, of in latest(results, lambda r: r.get("kind") == "build").items()),
        *(scale(name, of) for name, of in latest(results, lambda r: r.get("kind") == "scale").items()),
        *(lists(name, of) for name, of in latest(results, lambda r: r.get("kind") == "lists").items()),
        *(ingest(name, of) for name, of in latest(results, lambda r: r.get("kind") == "ingest").items()),
        *(calls(of) for of in latest(results, lambda r: r.get("kind") == "calls").values()),
        machine(newest),
        reproduce(results),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Proxime, measured</title>'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )


def machine(result: dict) -> str:
    """What every figure depends on."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    rows = [
        ["processor", f"{result['cpu']}, {result['cores']} cores"],
        ["memory", f"{result['memory_gb']} GB"],
        ["system", result["system"]],
        ["revision", result["revision"]],
        ["newest run", f"{result['run']}, load {result['load']} when it began"],
        ["versions", versions],
    ]
    return f"<section><h2>Machine and versions</h2>{table(['', ''], rows, 'facts')}</section>"


def search(name: str, results: list[dict]) -> str:
    """Recall against queries/s, latency, memory."""
    results = sorted(results, key=lambda result: (not ours(result["engine"]), result["engine"]))
    first = results[0]
    counts = list(first["curves"])
    of = f"{name}: {first['n']:,} x {first['dim']}"
    parts = [f"<h2>Searches, {of}</h2><p>{escape(first['what'])}; k = 10; revision {escape(first['revision'])}.</p>"]
    for threads in counts:
        by_engine = {result["engine"]: front(result["curves"][threads]) for result in results}
        title = f"Recall@10 against queries/s, {plural(int(threads), 'thread')}"
        parts.append(figure(title, picture(title, by_engine), legend(by_engine)))
        rows = [[e, *(number(curves.rate(points, recall)) for recall in curves.RECALLS)] for e, points in by_engine.items()]
        head = [f"queries/s, {plural(int(threads), 'thread')}", *(f"recall {recall:.2f}" for recall in curves.RECALLS)]
        parts.append(table(head, rows))
    parts += [latencies(results), memory(results)]
    return "<section>" + "".join(parts) + "</section>"


def latencies(results: list[dict]) -> str:
    """One query at a time."""
    rows = []
    for result in results:
        found = result.get("latencies", {})
        cells = [found.get(str(recall)) for recall in curves.RECALLS]
        rows.append([result["engine"], *(f"{c['p50']:,.0f} / {c['p99']:,.0f}" if c else "" for c in cells)])
    head = ["one query at a time: p50 / p99 in us", *(f"recall {recall:.2f}" for recall in curves.RECALLS)]
    return table(head, rows)


def memory(results: list[dict]) -> str:
    """What loading took, and the files."""
    rows = []
    for result in results:
        of = result["memory"]
        cells = [of.get(part) for part in ("own", "mapped", "disk")]
        rows.append([result["engine"], f"{of['seconds']:.2f}", *(number(c and c / 1e6) for c in cells)])
    return table(["memory and disk", "load s", "own MB", "mapped MB", "on disk MB"], rows)


def build(name: str, results: list[dict]) -> str:
    """How fast an index is built, and what that takes."""
    engines: dict[str, list[dict]] = {}
    for result in results:
        if not result["engine"].startswith("core"):
            engines.setdefault(result["engine"], []).append(result)
    rates = {engine: median(run["vec_s"] for run in runs) for engine, runs in engines.items()}
    references = [engine for engine in tables.RATE_REFERENCES if engine in rates]
    rows = [
        [
            engine,
            number(rates[engine]),
            *(f"{rates[engine] / rates[reference]:.2f}" for reference in references),
            f"{median(run['cpu_seconds'] / run['n'] for run in runs) * 1e6:,.1f}",
            number(median(run["extra_bytes"] for run in runs) / 1e6),
        ]
        for engine, runs in sorted(engines.items(), key=lambda item: -rates[item[0]])
    ]
    head = ["engine", "vectors/s", *(f"x {reference}" for reference in references), "CPU us/vector", "MB above input"]
    first = results[0]
    title = f"Builds, {name}: {first['n']:,} x {first['dim']}"
    about = "From an array in memory to an index that can be searched; Proxime's is on the disk, synced, but for proxime-memory. "
    about += f"{plural(first['threads'], 'thread')}; revision {escape(first['revision'])}."
    drawn = figure("Vectors/s", bars(title, rates))
    return f"<section><h2>{title}</h2><p>{about}</p>{drawn}{table(head, rows)}</section>"


def scale(name: str, results: list[dict]) -> str:
    """Rates by the number of rows."""
    sizes = sorted({result["n"] for result in results})
    engines = dict.fromkeys(result["engine"] for result in results)
    rates = {
        (engine, n): median(r["vec_s"] for r in results if (r["engine"], r["n"]) == (engine, n))
        for engine in engines
        for n in sizes
    }
    rows = [[engine, *(number(rates[engine, n]) for n in sizes)] for engine in engines]
    head = ["vectors/s", *(f"{n:,} rows" for n in sizes)]
    return f"<section><h2>Builds by size, {name}</h2>{table(head, rows)}</section>"


def lists(name: str, results: list[dict]) -> str:
    """What a list of lists costs, for what the array does."""
    about = "The same rows stored as a NumPy array, and as the list of lists that <code>.tolist()</code> makes of it."
    return f"<section><h2>Arrays and lists, {escape(name)}</h2><p>{about}</p>{table(*tables.lists(results))}</section>"


def ingest(name: str, results: list[dict]) -> str:
    """What the way through Python costs."""
    about = "The same batch stored through Rust and through Python, each in a process of its own."
    return f"<section><h2>Through Python, {escape(name)}</h2><p>{about}</p>{table(*tables.ingest(results))}</section>"


def calls(results: list[dict]) -> str:
    """What a call costs through Python."""
    about = f"One query at a time in a collection of {results[0]['n']} records: next to nothing but the call."
    return f"<section><h2>A call through Python</h2><p>{about}</p>{table(*tables.calls(results))}</section>"


def reproduce(results: list[dict]) -> str:
    """The commands that measure what the page shows."""
    commands = []
    for what, kinds in KINDS.items():
        of = [result for result in results if result.get("kind") in kinds]
        names = {result["data"] for result in of}
        options = [f"--data {','.join(sorted(names))}"] if what != "calls" else []
        options += ["--fashion FILE.npz"] if "fashion-784" in names else []
        options += ["--scale"] if any(result.get("kind") == "scale" for result in of) else []
        commands += [" ".join(["cargo xtask bench", what, *options])] if of else []
    shown = "\n".join([*commands, "cargo xtask bench --report out/"])
    return f"<section><h2>How to reproduce</h2>\n<pre>{escape(shown)}</pre>\n{EXPLAINED}</section>"


EXPLAINED = """<p>What is measured, and how, is in <code>bench-compare/README.md</code>. Every figure of this page is a line of
<code>target/bench-results</code>, with machine, load, versions, revision, data and settings. Curves show the points that no other
point of the same engine beats in both recall and rate; a rate at a recall is interpolated between two of them.</p>"""


def front(points: list[dict]) -> list[dict]:
    """The points that none beats in both, by recall."""
    best, kept = 0.0, []
    for point in sorted(points, key=lambda p: (-p["recall"], -p["qps"])):
        if point["qps"] > best:
            best = point["qps"]
            kept.append(point)
    return kept[::-1]


def picture(title: str, by_engine: dict[str, list[dict]]) -> str:
    """Lines over logit(recall) and log(queries/s)."""
    points = [point for of in by_engine.values() for point in of if point["recall"] >= RECALL_TICKS[0]]
    low, high = min(p["qps"] for p in points), max(p["qps"] for p in points)
    bottom, top = 10 ** (math.floor(math.log10(low) * 4) / 4), 10 ** (math.ceil(math.log10(high) * 4) / 4)
    span = logit(RECALL_TICKS[0]), logit(RECALL_TICKS[-1])

    def x(recall: float) -> float:
        share = (logit(recall) - span[0]) / (span[1] - span[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(rate: float) -> float:
        share = math.log(rate / bottom) / math.log(top / bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [text(x(r), HEIGHT - BOTTOM + 24, f"{r:g}", "middle") + line(x(r), TOP, x(r), HEIGHT - BOTTOM) for r in RECALL_TICKS]
    parts += [text(LEFT - 8, y(r) + 4, f"{r:,.0f}", "end") + line(LEFT, y(r), WIDTH - RIGHT, y(r)) for r in ticks(bottom, top)]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "recall@10", "middle"))
    for number_, (engine, of) in enumerate(by_engine.items()):
        shown = [(x(p["recall"]), y(p["qps"])) for p in of if RECALL_TICKS[0] <= p["recall"] <= RECALL_TICKS[-1]]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in shown)
        dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in shown)
        kind = "ours" if ours(engine) else "peer"
        parts.append(f'<g class="{kind} c{number_}"><title>{escape(engine)}</title><polyline points="{path}"/>{dots}</g>')
    return svg(title, HEIGHT, parts)


def bars(title: str, rates: dict[str, float]) -> str:
    """A bar an engine, longest first."""
    row, label = 30, 200
    longest = max(rates.values())
    parts = []
    for number_, (engine, rate) in enumerate(sorted(rates.items(), key=lambda item: -item[1])):
        top = number_ * row + 4
        length = rate / longest * (WIDTH - label - 110)
        kind = "ours" if ours(engine) else "peer"
        parts.append(text(label - 8, top + 15, engine, "end"))
        parts.append(f'<rect class="{kind}" x="{label}" y="{top}" width="{length:.1f}" height="{row - 8}" rx="2"/>')
        parts.append(text(label + length + 8, top + 15, f"{rate:,.0f}", "start"))
    return svg(title, len(rates) * row + 4, parts)


def ticks(bottom: float, top: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two values."""
    powers = range(math.floor(math.log10(bottom)), math.ceil(math.log10(top)) + 1)
    return [m * 10**power for power in powers for m in (1, 2, 5) if bottom <= m * 10**power <= top]


def logit(share: float) -> float:
    """Where a share near 1 has room."""
    share = min(share, 0.9999)
    return math.log(share / (1 - share))


def svg(title: str, height: float, parts: Iterable[str]) -> str:
    """A picture as wide as there is room."""
    content = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{content}</svg>'


def text(x: float, y: float, words: str, anchor: str) -> str:
    """Words in a picture."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line of a grid."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def figure(title: str, drawn: str, below: str = "") -> str:
    """A picture with its title."""
    return f"<figure><figcaption>{escape(title)}</figcaption>{drawn}{below}</figure>"


def legend(engines: Iterable[str]) -> str:
    """Which colour is whose."""
    items = (
        f'<li class="{"ours" if ours(engine) else "peer"} c{number_}"><i></i>{escape(engine)}</li>'
        for number_, engine in enumerate(engines)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def table(head: list[str], rows: list[list[str]], kind: str = "") -> str:
    """A table that scrolls by itself where there is no room."""
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join(
        f'<tr{" class=ours" if ours(row[0]) else ""}>' + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>'


def ours(engine: str) -> bool:
    """Whether it is Proxime."""
    return engine.startswith("proxime")


def number(value: float | None) -> str:
    """With separators; empty where there is none."""
    return "" if value is None else f"{value:,.0f}"


def plural(n: int, noun: str) -> str:
    """`1 thread`, `2 threads`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def escape(words: object) -> str:
    """Words as text of a page."""
    return html.escape(str(words))


if __name__ == "__main__":
    main()
