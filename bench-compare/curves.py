"""What a search run found: tables at equal recall, and a picture of recall against queries/s.

A result is one engine on one data set, as `search.py` measured it.
"""

import math
from pathlib import Path

from tables import cross, table

RECALLS = (0.90, 0.95, 0.99)


def tables(results: list[dict]) -> str:
    """Rates at equal recall for each number of threads, then latencies, then memory."""
    counts = list(results[0]["curves"])
    parts = [_rates(results, threads) for threads in counts]
    parts += [_scaling(results)] if len(counts) > 1 else []
    return "\n\n".join([*parts, _latencies(results), _memory(results)])


def ef_for(points: list[dict], recall: float) -> int | None:
    """The narrowest beam that reaches a recall; None if the sweep did not get there."""
    if points[0]["recall"] > recall:
        return points[0]["ef"]
    ef = cross(points, "recall", recall, "ef")
    return ef and math.ceil(ef)


def picture(results: list[dict], stem: Path) -> None:
    """Recall against queries/s with one thread, one line an engine, to `stem` with `.png` and `.svg`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogitFormatter, StrMethodFormatter

    figure, axes = pyplot.subplots(figsize=(9, 6), layout="constrained")
    for result in results:
        points = next(iter(result["curves"].values()))
        ours = result["engine"].startswith("proxime")
        style = {"linewidth": 2.4 if ours else 1.2, "marker": "o" if ours else ".", "zorder": 3 if ours else 2}
        axes.plot([p["recall"] for p in points], [p["qps"] for p in points], label=result["engine"], **style)
    axes.set(xscale="logit", yscale="log", xlabel="recall@10", ylabel="queries/s, one thread", xlim=(0.8, 0.995))
    axes.set_title(f"{results[0]['data']}: {results[0]['n']:,} x {results[0]['dim']}")
    axes.set_xticks([0.8, 0.9, 0.95, 0.98, 0.99, 0.995])
    axes.xaxis.set_major_formatter(LogitFormatter())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    for suffix in (".png", ".svg"):
        figure.savefig(stem.with_suffix(suffix), dpi=150)
    pyplot.close(figure)


def _rates(results: list[dict], threads: int) -> str:
    """Queries/s at each recall, and Proxime's best over the best of the others."""
    rows = []
    best: dict[bool, list[float]] = {True: [0] * len(RECALLS), False: [0] * len(RECALLS)}
    for result in results:
        at = [rate(result["curves"][threads], recall) for recall in RECALLS]
        ours = best[result["engine"].startswith("proxime")]
        ours[:] = [max(old, new or 0) for old, new in zip(ours, at, strict=True)]
        rows.append([result["engine"], *(f"{rate:,.0f}" if rate else "" for rate in at)])
    ratios = [f"{ours / others:.2f}" if others else "" for ours, others in zip(best[True], best[False], strict=True)]
    rows.append(["best proxime / best peer", *ratios])
    name = "1 thread" if threads == 1 else f"{threads} threads"
    return table([f"queries/s, {name}", *(f"@{recall:.2f}" for recall in RECALLS)], rows)


def _scaling(results: list[dict]) -> str:
    """What the most threads give, for what one gives."""
    rows = []
    for result in results:
        threads = list(result["curves"])
        ends = [(rate(result["curves"][threads[0]], recall), rate(result["curves"][threads[-1]], recall)) for recall in RECALLS]
        rows.append([result["engine"], *(f"{many / one:.2f}" if one and many else "" for one, many in ends)])
    return table(["more threads / fewer", *(f"@{recall:.2f}" for recall in RECALLS)], rows)


def rate(points: list[dict], recall: float) -> float | None:
    """Queries/s at a recall; None if the sweep did not get there."""
    if points[0]["recall"] > recall:
        return points[0]["qps"]
    return cross(points, "recall", recall, "qps")


def _latencies(results: list[dict]) -> str:
    rows = []
    for result in results:
        row = [result["engine"]]
        for recall in RECALLS:
            found = result.get("latencies", {}).get(recall)
            row.append(f"{found['p50']:,.0f} / {found['p99']:,.0f} (ef {found['ef']})" if found else "")
        rows.append(row)
    return table(["one query at a time, p50 / p99 us", *(f"@{recall:.2f}" for recall in RECALLS)], rows)


def _memory(results: list[dict]) -> str:
    """What loading the index took, per vector; a float32 vector is 1.00 of itself."""
    rows = []
    for result in results:
        memory, raw = result["memory"], 4 * result["dim"]
        per = [memory[part] / result["n"] for part in ("own", "mapped")]
        cells = [f"{memory['seconds']:.2f}", *(f"{bytes_:,.0f}" for bytes_ in per), *(f"{b / raw:.2f}" for b in per)]
        rows.append([result["engine"], *cells])
    return table(["memory", "load s", "own bytes/vector", "mapped", "own / float32", "mapped / float32"], rows)
