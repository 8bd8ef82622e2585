"""Draws decision latency and verification time against the number of rules, log-log, as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.measure import Row

HERE = Path(__file__).parent
Points = dict[str, list[tuple[int, float]]]
MARKERS = "osD^vPX*<>hd"


def draw(rows: Sequence[Row]) -> None:
    """Writes `latency.svg` and `verification.svg`."""
    mpl.rcParams["svg.hashsalt"] = "govlang"
    mpl.rcParams["svg.fonttype"] = "none"
    latency = [
        row
        for row in rows
        if row.workload == "cells" and row.unit == "ns" and "-O3" not in row.form
    ]
    one_figure(
        latency_lines(latency),
        "latency.svg",
        "decision latency, set `cells`, half of the requests met",
        "ns a decision",
    )
    staged = [row for row in rows if row.workload in DRAWN and row.form in STAGES]
    one_figure(stage_lines(staged), "verification.svg", "from source to a proved table", "seconds")


DRAWN = ("cells", "overlap")
STAGES = ("check", "verify", "compile", "prove", "all stages")


def latency_lines(rows: Sequence[Row]) -> Points:
    """A line a subject and form."""
    lines: Points = defaultdict(list)
    for row in rows:
        lines[line_name(row)].append((row.rules, row.value))
    return {name: points for name, points in lines.items() if len(points) > 1}


def line_name(row: Row) -> str:
    """A short name for the legend."""
    if row.subject in {"govlang", "C by hand", "Python by hand"}:
        return f"{row.subject}: {row.form}"
    behind = "; behind a Python dict" if row.form.endswith("behind a Python dict") else ""
    parsed = "; parsed beforehand" if "beforehand" in row.form else ""
    return f"{row.subject}{parsed}{behind}"


def stage_lines(rows: Sequence[Row]) -> Points:
    """A line a set and stage."""
    lines: Points = defaultdict(list)
    for row in rows:
        lines[f"{row.workload}: {row.form}"].append((row.rules, row.value))
    return dict(lines)


def one_figure(lines: Points, name: str, title: str, label: str) -> None:
    """One log-log figure with its legend beside it."""
    figure, axes = plt.subplots(figsize=(11, 6.2), facecolor="white")
    colours = plt.get_cmap("tab20")
    for at, (line, points) in enumerate(lines.items()):
        ours = line.startswith("govlang") or line.endswith("all stages")
        xs, ys = zip(*sorted(points), strict=True)
        axes.plot(
            xs,
            ys,
            label=line,
            color=colours(at % 20),
            marker=MARKERS[at % len(MARKERS)],
            markersize=4,
            linewidth=2.6 if ours else 1.2,
            zorder=3 if ours else 2,
        )
    finish(axes, title, label)
    figure.tight_layout()
    figure.savefig(HERE / name, metadata={"Date": None})
    plt.close(figure)


def finish(axes: Axes, title: str, label: str) -> None:
    """Axes, grid and legend."""
    axes.set(xscale="log", yscale="log", xlabel="rules", ylabel=label, title=title)
    axes.set_facecolor("white")
    axes.grid(visible=True, which="major", color="#d0d0d0", linewidth=0.7)
    axes.grid(visible=True, which="minor", color="#eeeeee", linewidth=0.4)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
