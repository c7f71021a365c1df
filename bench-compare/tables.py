"""Results as tables to read: rates, stages, quality at equal recall and at equal distances, changes, scale.

A result is one line of the results file: what `build.py` measured in one process.
"""

import math
from itertools import pairwise
from statistics import median

RATE_REFERENCES = ("hnswlib-100", "hnswlib-200")
DISTANCE_REFERENCES = ("faiss-100", "faiss-200")
RECALLS = (0.95, 0.99)
DISTANCES = (400, 800, 1600)
# A header, and rows, of a table that the terminal and the report have.
Cells = tuple[list[str], list[list[str]]]
# A recall of 1 is counted as this much less: its logarithm is needed.
MISSES_MIN = 1e-5


def rates(results: list[dict]) -> str:
    """Median rate of each engine, its ratio to the references, CPU time of all threads, and memory."""
    engines = _by_engine(results)
    speed = {engine: median(r["vec_s"] for r in runs) for engine, runs in engines.items()}
    references = [engine for engine in RATE_REFERENCES if engine in speed]
    rows = []
    for engine, runs in engines.items():
        of = [r["vec_s"] for r in runs]
        rows.append(
            [
                engine,
                f"{speed[engine]:,.0f}",
                f"{min(of):,.0f} to {max(of):,.0f}",
                *(f"{speed[engine] / speed[reference]:.2f}" for reference in references),
                f"{median(r['cpu_seconds'] / r['n'] for r in runs) * 1e6:,.1f}",
                f"{median(r['peak_bytes'] for r in runs) / 1e6:,.0f}",
                f"{median(r['extra_bytes'] for r in runs) / 1e6:,.0f}",
                *_working(runs),
            ]
        )
    header = ["engine", "vec/s", "range", *(f"x {reference}" for reference in references)]
    return table([*header, "CPU us/vec", "peak MB", "above input MB", "index MB", "working / input"], rows)


def _working(runs: list[dict]) -> list[str]:
    """What stays in memory, and what was needed beside it, for each byte of the vectors."""
    if any(r["index_bytes"] is None for r in runs):
        return ["", ""]
    share = [(r["extra_bytes"] - r["index_bytes"]) / (4 * r["n"] * r["dim"]) for r in runs]
    return [f"{median(r['index_bytes'] for r in runs) / 1e6:,.0f}", f"{median(share):.2f}"]


def stages(results: list[dict]) -> str:
    """Of each engine that tells its stages: median time, share, and multiply-adds a second."""
    rows = []
    for engine, runs in _by_engine(results).items():
        steps = list(zip(*(r.get("stages", []) for r in runs), strict=True))
        times = [median(stage["seconds"] for stage in step) for step in steps]
        for step, seconds in zip(steps, times, strict=True):
            work = step[0]["multiply_adds"]
            rate = f"{work / seconds / 1e9:,.0f}" if work else ""
            rows.append([engine, step[0]["step"], f"{seconds * 1e3:,.1f}", f"{seconds / sum(times):.1%}", rate])
    return table(["engine", "step", "ms", "share", "10^9 multiply-adds/s"], rows)


def graphs(results: list[dict]) -> str:
    """Degree and reachability of each graph that can be looked at."""
    rows = [
        [engine, f"{runs[0]['mean_degree']:.1f}", str(runs[0]["levels"]), str(runs[0]["unreachable"])]
        for engine, runs in _by_engine(results).items()
        if "mean_degree" in runs[0]
    ]
    return table(["engine", "links a row", "levels", "unreachable"], rows)


def quality(results: list[dict]) -> str:
    """`ef` and distances per query that reach each of `RECALLS`; recall at each of `DISTANCES`. Interpolated."""
    curves = _curves(results)
    references = [engine for engine in DISTANCE_REFERENCES if engine in curves]
    header = ["engine"]
    for recall in RECALLS:
        header += [f"ef @{recall}", f"distances @{recall}", *(f"x {reference}" for reference in references)]
    header += [f"recall @{count} distances" for count in DISTANCES]
    rows = []
    for engine, points in curves.items():
        row = [engine]
        for recall in RECALLS:
            row += [_reaching(points, recall, what) for what in ("ef", "distances")]
            row += [_ratio(points, curves[reference], recall) for reference in references]
        rows.append(row + [_affording(points, count) for count in DISTANCES])
    return table(header, rows)


def changes(results: list[dict]) -> str:
    """Rates of inserts and deletes, and recall@10 / distances per query before and after."""
    rows = []
    for engine, runs in _by_engine(results).items():
        for change in runs[0].get("changes", []):
            points = (change["before"], change["after"], change["built"])
            cells = [f"{p['recall']:.4f} / {p['distances']:,.0f}" if p else "" for p in points]
            counts = [f"{change['rows']:,}", f"{change['rows_s']:,.0f}", *cells, str(change["unreachable"])]
            rows.append([f"{engine}: {change['what']}", *counts])
    return table(["change", "rows", "rows/s", "before", "after", "built of the same", "unreachable"], rows)


def scale(results: list[dict]) -> str:
    """Median vec/s by number of rows, one column an engine."""
    sizes = sorted({r["n"] for r in results})
    by_engine = _by_engine(results)
    rows = [[f"{n:,}", *(f"{_rate(runs, n):,.0f}" for runs in by_engine.values())] for n in sizes]
    return table(["rows", *by_engine], rows)


def growth(results: list[dict], few: int, many: int) -> str:
    """Median vec/s of few rows and of many, and what is left of it."""
    rows = []
    for engine, runs in _by_engine(results).items():
        low, high = (_rate(runs, n) for n in (few, many))
        rows.append([engine, f"{low:,.0f}", f"{high:,.0f}", f"{high / low:.2f}"])
    return table(["engine", f"vec/s of {few:,}", f"vec/s of {many:,}", "ratio"], rows)


def _rate(runs: list[dict], n: int) -> float:
    return median(r["vec_s"] for r in runs if r["n"] == n)


def _by_engine(results: list[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for result in results:
        groups.setdefault(result["engine"], []).append(result)
    return groups


def _curves(results: list[dict]) -> dict[str, list[dict]]:
    """The curve of each engine. Where an exact pass follows, a second one counts its distances as well."""
    curves = {}
    for engine, runs in _by_engine(results).items():
        points = next((r["curve"] for r in runs if r["curve"]), None)
        if points:
            curves[engine] = points
            if "exact_distances" in points[0]:
                all_of = [p | {"distances": p["distances"] + p["exact_distances"]} for p in points]
                curves[f"{engine} + exact pass"] = all_of
    return curves


def _reaching(points: list[dict], recall: float, what: str) -> str:
    """`what` that it takes to reach a recall."""
    at, low = cross(points, "recall", recall, what), points[0]
    if at is None:
        return f"under {low[what]:,.0f}" if low["recall"] > recall and low[what] else ""
    return f"{math.ceil(at) if what == 'ef' else at:,.0f}"


def _ratio(points: list[dict], reference: list[dict], recall: float) -> str:
    ours, theirs = (cross(curve, "recall", recall, "distances") for curve in (points, reference))
    return f"{ours / theirs:.3f}" if ours and theirs else ""


def _affording(points: list[dict], count: int) -> str:
    """The recall that a number of distances buys."""
    at, low = cross(points, "distances", count, "recall"), points[0]
    if at is None:
        return f"under {low['recall']:.4f}" if low["distances"] and low["distances"] > count else ""
    return f"{at:.4f}"


def cross(points: list[dict], x: str, at: float, y: str) -> float | None:
    """`y` where the curve first crosses `x = at`; None if it does not.

    Between two points of the sweep, linear in the logarithm of `ef` and of distances over that of 1 - recall: curves are
    nearly straight there.
    """
    if any(p[x] is None or p[y] is None for p in points):
        return None
    for low, high in pairwise(points):
        if low[x] <= at <= high[x]:
            x_low, x_at, x_high = (_log(x, value) for value in (low[x], at, high[x]))
            y_low, y_high = (_log(y, point[y]) for point in (low, high))
            part = (x_at - x_low) / (x_high - x_low) if x_high != x_low else 0
            value = math.exp(y_low + part * (y_high - y_low))
            return 1 - value if y == "recall" else value
    return None


def _log(what: str, value: float) -> float:
    return math.log(max(1 - value, MISSES_MIN) if what == "recall" else value)


def lists(results: list[dict]) -> Cells:
    """By size, what a list of lists costs, for what the array does."""
    rows = []
    for n in sorted({result["n"] for result in results}):
        at = [result for result in results if result["n"] == n]
        array, listed, made = (median(r[part] for r in at) for part in ("array_seconds", "list_seconds", "tolist_seconds"))
        times = [f"{listed / array:.2f}", f"{(listed + made) / array:.2f}"]
        rows.append([f"{n:,}", f"{n / array:,.0f}", f"{n / listed:,.0f}", *times])
    return ["rows", "array: vec/s", "list: vec/s", "list / array, time", "with .tolist() itself"], rows


def ingest(results: list[dict]) -> Cells:
    """By place, what the way through Python costs."""
    rows = []
    for place in dict.fromkeys(result["place"] for result in results):
        rust, python = _ways(results, "place", place, "seconds")
        n = results[0]["n"]
        rows.append([place, f"{n / rust:,.0f}", f"{n / python:,.0f}", f"{python / rust - 1:+.1%}"])
    return ["store", "Rust: vec/s", "Python: vec/s", "time through Python"], rows


def calls(results: list[dict]) -> Cells:
    """By number of components, what a call through Python costs."""
    rows = []
    for dim in sorted({result["dim"] for result in results}):
        rust, python = _ways(results, "dim", dim, "us")
        rows.append([str(dim), f"{rust:.2f}", f"{python:.2f}", f"{python - rust:.2f}"])
    return ["components", "Rust: us", "Python: us", "through Python: us"], rows


def _ways(results: list[dict], key: str, value: object, what: str) -> tuple[float, float]:
    """Medians of `what` through Rust and through Python, where `key` is `value`."""
    at = [result for result in results if result[key] == value]
    rust, python = (median(r[what] for r in at if r["way"] == way) for way in ("Rust", "Python"))
    return rust, python


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, first column left, the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(header, widths), "| " + " | ".join(rule) + " |", *(_line(row, widths) for row in rows)]
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join([cells[0].ljust(len(first)), *rest]) + " |"
