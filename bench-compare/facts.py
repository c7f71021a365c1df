"""What a result must name to mean anything: the machine, the versions, the revision."""

import os
import platform
import re
import subprocess
from pathlib import Path

import numpy as np

from engines import ENGINES

ROOT = Path(__file__).parent.parent


def facts() -> dict:
    """Machine, load before the run, versions of everything measured, git revision (`+` if the tree was changed)."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": platform.platform(),
        "load": round(os.getloadavg()[0], 2),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            **{engine.package: engine.version for engine in ENGINES.values()},
        },
        "revision": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
    }


def _cpu() -> str:
    """The processor's name and which of the instruction sets that matter here it has."""
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    name = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.+)$", info, re.MULTILINE)
    known = ("avx2", "avx512f", "avx512_vnni", "amx_int8", "asimd", "asimddp")
    present = [flag for flag in known if flags and flag in flags[1].split()]
    return f"{name[1] if name else platform.machine()} ({', '.join(present)})"


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip()
