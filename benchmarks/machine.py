"""What the figures were measured on: processor, system, compilers and the version of every package."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("govlang", "z3-solver", "lark", "cffi", "numpy", "pyarrow", "matplotlib")


def facts(packages: tuple[str, ...]) -> dict[str, str]:
    """The machine and the versions, name to value."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "load at the start (1, 5, 15 min)": ", ".join(f"{part:.1f}" for part in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "C compiler": first_line("gcc", "--version"),
        "commit": first_line(
            "git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"
        ),
    } | {name: found for name in (*PACKAGES, *packages) if (found := installed(name))}


def installed(package: str) -> str:
    """The installed version, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def processor() -> str:
    """The processor's own name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def first_line(*command: str) -> str:
    """What the command says first."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not found"
    return (done.stdout.splitlines() or [""])[0]
