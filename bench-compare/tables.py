"""Results as tables to read: rates, quality at equal recall and at equal distances, the scale table.

A result is one line of the results file: what `build.py` measured in one process.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

REFERENCE = "hnswlib-100"
RECALLS = (0.95, 0.99)
DISTANCES = (400, 800, 1600)


def rates(results: list[dict]) -> str:
    """Median rate of each engine, its ratio to `REFERENCE`, CPU time of all threads, and memory."""
    speed = {engine: [r["vec_s"] for r in runs] for engine, runs in _by_engine(results).items()}
    base = median(speed[REFERENCE]) if REFERENCE in speed else None
    rows = []
    for engine, runs in _by_engine(results).items():
        of = speed[engine]
        rows.append(
            [
                engine,
                f"{median(of):,.0f}",
                f"{min(of):,.0f} to {max(of):,.0f}",
                f"{median(of) / base:.2f}" if base else "",
                f"{median(r['cpu_seconds'] / r['n'] for r in runs) * 1e6:,.1f}",
                f"{median(r['peak_bytes'] for r in runs) / 1e6:,.0f}",
                f"{median(r['extra_bytes'] for r in runs) / 1e6:,.0f}",
            ]
        )
    return _table(["engine", "vec/s", "range", f"x {REFERENCE}", "CPU us/vec", "peak MB", "above input MB"], rows)


def quality(results: list[dict]) -> str:
    """`ef` and distances per query that reach each of `RECALLS`; recall at each of `DISTANCES`. Interpolated."""
    header = ["engine"]
    header += [f"{what} @{recall}" for recall in RECALLS for what in ("ef", "distances")]
    header += [f"recall @{count} distances" for count in DISTANCES]
    rows = []
    for engine, runs in _by_engine(results).items():
        points = next((r["curve"] for r in runs if r["curve"]), None)
        if points:
            rows.append([engine, *_reaching(points), *_affording(points)])
    return _table(header, rows)


def scale(results: list[dict]) -> str:
    """Median vec/s by number of rows, one column an engine."""
    sizes = sorted({r["n"] for r in results})
    by_engine = _by_engine(results)
    cell = {(e, n): [r["vec_s"] for r in runs if r["n"] == n] for e, runs in by_engine.items() for n in sizes}
    rows = [[f"{n:,}", *(f"{median(cell[e, n]):,.0f}" for e in by_engine)] for n in sizes]
    return _table(["rows", *by_engine], rows)


def _by_engine(results: list[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for result in results:
        groups.setdefault(result["engine"], []).append(result)
    return groups


def _reaching(points: list[dict]) -> Iterable[str]:
    for recall in RECALLS:
        for what in ("ef", "distances"):
            yield _cross(points, "recall", recall, what, ",.0f")


def _affording(points: list[dict]) -> Iterable[str]:
    for count in DISTANCES:
        yield _cross(points, "distances", count, "recall", ".4f")


def _cross(points: list[dict], x: str, at: float, y: str, form: str) -> str:
    """`y` where the curve first crosses `x = at`, linear between points; empty if it never does."""
    if any(p[x] is None or p[y] is None for p in points):
        return ""
    for low, high in pairwise(points):
        if low[x] <= at <= high[x]:
            part = (at - low[x]) / (high[x] - low[x]) if high[x] > low[x] else 0
            value = low[y] + part * (high[y] - low[y])
            return format(math.ceil(value) if y == "ef" else value, form)
    return f"under {points[0][y]:{form}}" if points[0][x] > at else ""


def _table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, first column left, the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(header, widths), "| " + " | ".join(rule) + " |", *(_line(row, widths) for row in rows)]
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join([cells[0].ljust(len(first)), *rest]) + " |"
