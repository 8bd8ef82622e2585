"""The targets of this version and what was measured against them.

Goes in: the rows of one run. Comes out: a list of verdicts, each with the wanted and the measured figure in words.
What always holds: a figure that was not measured is a verdict of its own, never silently met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Row

STRUCT = "C table, struct in"
FROM_TEXT = "C table, from text"
DICT = "Python, dict in"
JSON = "Python, JSON in"
LOAD = "load"
ARROW = "Python, Arrow columns in"
NUMPY = "Python, NumPy columns in"
MANY_ROWS = "4 million rows"
ALL_STAGES = "all stages"
COLD_START = "gov check, cold start"
TABLE_BYTES = "table.bin"
GENERATED = "generated C, struct in"
SAME_JOB = "the whole job (ranges checked, outcome filled)"
IN_WASMTIME = "module in wasmtime, a loop inside it"
IN_NODE = "module in Node, object in"
CEDAR_WASM = "module in Node, object in; policy set parsed beforehand"
MODULE_BYTES = "policy.wasm"
OVER_TIME = "over_time"
TIME_APART, TIME_OVERLAP = "time", "time_overlap"
TIME_C = "C engine, a sample of any kind"
TIME_GENERATED = "generated C, a sample of any kind"
TIME_PYTHON = "Python, commit, dict in"
EVIDENCE = "evidence"
CONTROL_PLANE = "control_plane"
SUBMITS_HIGHEST = "durable submits, at the highest rate kept"
SUBMIT_P99 = "durable submits, 1 000/s, p99"
EVALUATE_SHARE = "evaluate beside the empty handler"
RECORDED = "a record, from the decision to its line"
CHECKED = "verify: chain, head, tree, tiles"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what, wanted, measured, and whether it is met (None: not measured)."""

    what: str
    wanted: str
    measured: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The rows, asked by name."""

    rows: Sequence[Row]

    def find(self, workload: str, rules: int, subject: str, form: str) -> float | None:
        """The figure, `form` given from its beginning."""
        for row in self.rows:
            if (row.workload, row.rules, row.subject) == (
                workload,
                rules,
                subject,
            ) and row.form.startswith(form):
                return row.value
        return None

    def ours(self, workload: str, rules: int, form: str) -> float | None:
        """One of our own figures."""
        return self.find(workload, rules, "govlang", form)

    def by_hand(self, workload: str, rules: int, form: str) -> float | None:
        """A limit in C."""
        return self.find(workload, rules, "C by hand", form)


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """All targets that this version covers."""
    figures = Figures(rows)
    return [
        *small_table(figures),
        *large_table(figures),
        flatness(figures, "cells", STRUCT),
        flatness(figures, "overlap", STRUCT),
        memory(figures),
        *from_python(figures),
        most(
            "`gov check` on a small file, cold",
            figures.ours("drone_check", 8, COLD_START),
            0.3,
            "s",
        ),
        *(
            stage(figures, kind, rules, limit)
            for kind in ("cells", "overlap")
            for rules, limit in STAGES
        ),
        *(growth(figures, kind) for kind in ("cells", "overlap")),
        *edge(figures),
        *over_time(figures),
        *in_service(figures),
    ]


def from_python(figures: Figures) -> list[Verdict]:
    """Deciding from Python."""
    return [
        most("Python, dict in, 8 rules", figures.ours("drone_check", 8, DICT), 400, "ns"),
        most("Python, dict in, 10 000 rules", figures.ours("cells", 10_000, DICT), 800, "ns"),
        least(
            "Python, Arrow columns, 8 rules",
            figures.ours("drone_check", 8, f"{ARROW}, {MANY_ROWS}"),
            150,
        ),
        least(
            "Python, NumPy columns, 8 rules",
            figures.ours("drone_check", 8, f"{NUMPY}, {MANY_ROWS}"),
            150,
        ),
    ]


def over_time(figures: Figures) -> list[Verdict]:
    """Policies that remember."""
    return [
        *(
            most(
                f"a sample in C, 10 temporal rules ({what})",
                figures.ours(OVER_TIME, 10, form),
                100,
                "ns",
            )
            for what, form in (("generated C", TIME_GENERATED), ("the engine", TIME_C))
        ),
        most(
            "a commit from Python, 10 temporal rules",
            figures.ours(OVER_TIME, 10, TIME_PYTHON),
            2_000,
            "ns",
        ),
        *(
            most(
                f"verify, 1 000 temporal rules ({kind})",
                figures.ours(kind, 1_000, "verify"),
                60,
                "s",
            )
            for kind in (TIME_APART, TIME_OVERLAP)
        ),
    ]


def in_service(figures: Figures) -> list[Verdict]:
    """The control plane, and the evidence that it leaves."""
    return [
        least(
            "durable submits kept up with, `gov serve`",
            figures.ours(CONTROL_PLANE, 5, SUBMITS_HIGHEST),
            1_000,
            "requests/s",
        ),
        most(
            "a durable submit at 1 000/s, p99", figures.ours(CONTROL_PLANE, 5, SUBMIT_P99), 50, "ms"
        ),
        least(
            "evaluate beside an empty Starlette handler",
            figures.ours(CONTROL_PLANE, 5, EVALUATE_SHARE),
            50,
            "%",
        ),
        most("a record of evidence", figures.ours(EVIDENCE, 0, RECORDED), 40_000, "ns"),
        least(
            "`gov evidence verify`, a core",
            figures.ours(EVIDENCE, 0, CHECKED),
            100_000,
            "records/s",
        ),
    ]


STAGES = ((100, 2.0), (1_000, 8.0), (10_000, 60.0))


def shown(value: float, unit: str) -> str:
    """The figure with three digits."""
    return f"{value:.3g} {unit}" if value < 1_000 else f"{value:,.0f} {unit}"


def judged(
    what: str, wanted: str, value: float | None, text: Callable[[float], str], *, met: bool
) -> Verdict:
    """A verdict, or `not measured`."""
    if value is None:
        return Verdict(what, wanted, "not measured", None)
    return Verdict(what, wanted, text(value), met)


def most(what: str, value: float | None, limit: float, unit: str) -> Verdict:
    """At most `limit`; a miss says by how much."""
    met = value is not None and value <= limit
    return judged(
        what,
        f"≤ {limit:g} {unit}",
        value,
        lambda v: shown(v, unit) + missed(v / limit, met=met),
        met=met,
    )


def least(what: str, value: float | None, limit: float, unit: str = "M/s") -> Verdict:
    """At least `limit`, million decisions a second unless told otherwise."""
    met = value is not None and value >= limit
    return judged(
        what,
        f"≥ {limit:g} {unit}",
        value,
        lambda v: shown(v, unit) + missed(limit / v, met=met),
        met=met,
    )


def missed(factor: float, *, met: bool) -> str:
    """How far off."""
    return "" if met else f" (missed by {factor:.2f}×)"


def small_table(figures: Figures) -> list[Verdict]:
    """Eight rules in the table, absolute and beside both hand-written forms."""
    value = figures.ours("drone_check", 8, STRUCT)
    return [
        most("C table, struct in, 8 rules", value, 30, "ns"),
        ratio(
            "the same beside branchy C", value, figures.by_hand("drone_check", 8, "branchy"), 2.0
        ),
        ratio(
            "the same beside branchless C",
            value,
            figures.by_hand("drone_check", 8, "branchless"),
            2.0,
        ),
    ]


def ratio(what: str, value: float | None, base: float | None, limit: float) -> Verdict:
    """At most `limit` times the base."""
    found = None if value is None or not base else value / base
    met = found is not None and found <= limit
    return judged(what, f"≤ {limit:g}×", found, lambda v: f"{v:.2f}×", met=met)


def edge(figures: Figures) -> list[Verdict]:
    """Generated C beside the faster of two programmers, the module beside generated C, sizes."""
    inside = figures.ours("drone_check", 8, IN_WASMTIME)
    generated = figures.ours("drone_check", 8, f"{GENERATED}, gcc -O2")
    size = figures.ours("drone_check", 8, f"{MODULE_BYTES} of drone_fleet")
    return [
        *(by_hand(figures, flags) for flags in ("-O2", "-O3")),
        ratio("WebAssembly in wasmtime beside generated C, gcc -O2", inside, generated, 1.5),
        *(
            beside_c(figures, kind, rules)
            for kind in ("cells", "text", "overlap")
            for rules in EDGE_SIZES
        ),
        most("`policy.wasm` of examples/stateless/drone_fleet.gov", size, 2_048, "bytes"),
    ]


EDGE_SIZES = (10, 100, 1_000)


def beside_c(figures: Figures, kind: str, rules: int) -> Verdict:
    """The module of a generated policy beside its C."""
    inside = figures.ours(kind, rules, IN_WASMTIME)
    generated = figures.ours(kind, rules, f"{GENERATED}, gcc -O2")
    return ratio(f"the same, {spaced(rules)} rules ({kind})", inside, generated, 1.5)


def by_hand(figures: Figures, flags: str) -> Verdict:
    """Generated C beside the faster of two programmers, compiled alike."""
    hands = [
        figures.by_hand("drone_check", 8, f"{SAME_JOB}, {form}, gcc {flags}")
        for form in ("branchy", "branchless")
    ]
    known = [hand for hand in hands if hand is not None]
    generated = figures.ours("drone_check", 8, f"{GENERATED}, gcc {flags}")
    what = f"generated C beside the faster one by hand, gcc {flags}"
    return ratio(what, generated, min(known, default=None), 1.2)


def large_table(figures: Figures) -> list[Verdict]:
    """Ten thousand rules in the table."""
    return [
        most(
            "C table, struct in, 10 000 rules (cells)",
            figures.ours("cells", 10_000, STRUCT),
            60,
            "ns",
        ),
        most(
            "C table, struct in, 10 000 rules (text, classified)",
            figures.ours("text", 10_000, STRUCT),
            60,
            "ns",
        ),
        most(
            "C table, from text, 10 000 rules (text)",
            figures.ours("text", 10_000, FROM_TEXT),
            120,
            "ns",
        ),
    ]


def flatness(figures: Figures, kind: str, form: str) -> Verdict:
    """10 000 rules beside 100; the limit grows too, by its caches, and stands beside."""
    low, high = figures.ours(kind, 100, form), figures.ours(kind, 10_000, form)
    base_low, base_high = (
        figures.by_hand(kind, 100, "index"),
        figures.by_hand(kind, 10_000, "index"),
    )
    found = high / low if high and low else None
    beside = f"; by hand {base_high / base_low:.2f}×" if base_high and base_low else ""
    met = found is not None and found <= 2.5
    what = f"flat from 100 to 10 000 rules ({kind}; caches grow colder)"
    return judged(what, "≤ 2.5×", found, lambda v: f"{v:.2f}×{beside}", met=met)


def memory(figures: Figures) -> Verdict:
    """Bytes a rule at 1 000 and 10 000."""
    low, high = (
        figures.ours("cells", 1_000, TABLE_BYTES),
        figures.ours("cells", 10_000, TABLE_BYTES),
    )
    found = (high / 10_000) / (low / 1_000) if low and high else None
    met = found is not None and found <= 1.2
    text = f" ({(low or 0) / 1_000:.0f} → {(high or 0) / 10_000:.0f} bytes a rule)"
    return judged(
        "memory linear in the rules, 1 000 → 10 000",
        "≤ 1.2×",
        found,
        lambda v: f"{v:.2f}×{text}",
        met=met,
    )


def stage(figures: Figures, kind: str, rules: int, limit: float) -> Verdict:
    """All stages for one size."""
    return most(
        f"check + verify + compile + prove, {spaced(rules)} rules ({kind})",
        figures.ours(kind, rules, ALL_STAGES),
        limit,
        "s",
    )


def spaced(count: int) -> str:
    """The number with blanks between its thousands."""
    return f"{count:,}".replace(",", " ")


def growth(figures: Figures, kind: str) -> Verdict:
    """The exponent of the last step, 3 000 to 10 000 rules."""
    low, high = figures.ours(kind, 3_000, ALL_STAGES), figures.ours(kind, 10_000, ALL_STAGES)
    found = math.log(high / low) / math.log(10_000 / 3_000) if low and high else None
    met = found is not None and found <= 1.5
    what = f"exponent of the time from 3 000 to 10 000 rules ({kind}); 2 is quadratic"
    return judged(what, "≤ 1.5", found, lambda v: f"{v:.2f}", met=met)
