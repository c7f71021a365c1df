"""`proxime-core` alone, in memory: the benchmark program of that crate, run as one more engine.

It measures itself, as `measure.py` does: from an array in memory to codes and a graph. What it adds is what only a caller of
the crate can see: the stages, the distances of each search, the graph, and what inserts and deletes do to it.
"""

import json
import shutil
import subprocess
from pathlib import Path

PROGRAM = "cargo bench --quiet --locked --package proxime-core --bench build --"
ROOT = Path(__file__).parent.parent


def available() -> bool:
    """Whether the program can be compiled."""
    return shutil.which("cargo") is not None


def run(job: dict, preset: str) -> dict:
    """Do `job` (see `measure.measure`) with a preset."""
    # Cargo runs it in the folder of the crate.
    stem = str(Path(job["base"]).resolve()).removesuffix("-base.npy")
    command = [*PROGRAM.split(), stem, "--json"]
    command += ["--preset", preset, "--threads", str(job["threads"])]
    command += ["--quality"] if job["sweep"] else ["--rows", str(job["n"])]
    child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode != 0:
        raise SystemExit(f"{job['engine']} failed on {job['base']} (exit code {child.returncode})")
    report = json.loads(child.stdout.splitlines()[-1])
    quality = report.pop("quality") or {"curve": None, "changes": []}
    return report | quality
