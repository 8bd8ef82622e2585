"""Measures limits and peers on one workload; decisions are checked equal before a figure is taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.by_hand import python_indexed, python_small
from benchmarks.generate import generate_workload
from benchmarks.index import PLANS, CellIndex
from benchmarks.limits import CIndex, c_columns, c_small, library
from benchmarks.measure import Row, ns_per_call
from benchmarks.model import Request, Workload
from benchmarks.peers import PEERS, Peer, sharded
from benchmarks.small import FIELDS, small_requests, small_workload
from benchmarks.streams import request_stream

STREAM = 65_536
PYTHON_STREAM = 8_192
COLUMN_ROWS = 4_000_000
OPTIMISE = ("-O2", "-O3")
COLUMN_OPTIMISE = ("-O2", "-O3", "-O3 -march=native")


@dataclass(frozen=True, slots=True)
class Case:
    """A workload, its stream of requests, and the rule that each of them must get."""

    workload: Workload
    requests: list[Request]
    expected: list[int]

    @property
    def label(self) -> str:
        """`drone_check`, `cells`, `text` or `overlap`."""
        return self.workload.name.removeprefix("generated_")

    @property
    def python_requests(self) -> list[Request]:
        """As many as Python is given in one stream, so that the requests themselves stay in the caches."""
        return self.requests[:PYTHON_STREAM]

    def row(self, subject: str, form: str, value: float, unit: str = "ns") -> Row:
        """A figure of this case."""
        return Row(self.label, len(self.workload.rules), subject, form, value, unit)


def small_case(count: int = STREAM) -> Case:
    """The eight rules."""
    requests = small_requests(count, seed=1)
    return Case(small_workload(), requests, [python_small(request) for request in requests])


def generated_case(rules: int, kind: str, count: int = STREAM) -> Case:
    """A generated policy."""
    workload = generate_workload(rules, 1, kind)
    index = CellIndex(workload)
    requests = request_stream(workload, index, count, seed=7)
    return Case(workload, requests, [index.decide(request) for request in requests])


def same_decisions(case: Case, subject: str, found: Sequence[int]) -> None:
    """Raises unless every decision is the expected one."""
    for at, (mine, theirs) in enumerate(zip(case.expected, found, strict=False)):
        if mine != theirs:
            message = f"{subject} on {case.label}: request {case.requests[at]} gives rule {theirs}, must be {mine}"
            raise AssertionError(message)


def limit_rows(case: Case) -> Iterator[Row]:
    """C and Python by hand."""
    for flags in OPTIMISE:
        c = library(flags)
        if case.workload.name not in PLANS:
            for form in ("branchy", "branchless"):
                timed = c_small(c, form, case.requests)
                same_decisions(case, f"C {form}", timed.decisions)
                yield case.row("C by hand", f"{form}, struct in, gcc {flags}", timed.ns)
            continue
        index = CIndex(c, case.workload)
        timed = index.struct_in(case.requests)
        same_decisions(case, "C index", timed.decisions)
        yield case.row("C by hand", f"index, struct in, gcc {flags}", timed.ns)
        if case.label == "text":
            timed = index.text_in(case.requests)
            same_decisions(case, "C index from text", timed.decisions)
            yield case.row("C by hand", f"index, from text, gcc {flags}", timed.ns)
    decide = python_small if case.workload.name not in PLANS else python_indexed(case.workload)
    same_decisions(case, "Python by hand", [decide(request) for request in case.requests])
    yield case.row(
        "Python by hand", "dict in, unchecked", ns_per_call(decide, case.python_requests, 1.0)
    )


def column_limit_rows(case: Case) -> Iterator[Row]:
    """The eight rules on six columns of int64, by hand in C."""
    columns = small_columns()
    for flags in COLUMN_OPTIMISE:
        ns = c_columns(library(flags), columns)
        yield case.row("C by hand", f"6 columns of int64, gcc {flags}", 1e3 / ns, "M decisions/s")


def small_columns(count: int = COLUMN_ROWS) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Six columns for the eight rules, in the fields' order."""
    rng = np.random.default_rng(1)
    tops = (100, 25, 100, 40, 120, 3)
    assert len(tops) == len(FIELDS)
    return [rng.integers(0, top, count, endpoint=True, dtype=np.int64) for top in tops]


def peer_rows(case: Case, budget_s: float) -> Iterator[Row]:
    """Every installed peer, and those that scan also behind a Python dictionary."""
    for peer in PEERS:
        if peer.version is None:
            print(f"  {peer.package}: not installed", file=sys.stderr)
            continue
        yield from one_peer(case, peer, budget_s, behind_dict=False)
        if peer.scans and case.workload.name in PLANS:
            yield from one_peer(case, peer, budget_s, behind_dict=True)


def one_peer(case: Case, peer: Peer, budget_s: float, *, behind_dict: bool) -> Iterator[Row]:
    """One peer in one form."""
    sample = case.python_requests
    engine = (
        sharded.build(peer, case.workload, sample) if behind_dict else peer.build(case.workload)
    )
    prepared = [engine.prepare(request) for request in sample]
    checked = 200 if peer.scans and not behind_dict else 2_000
    same_decisions(case, peer.package, [engine.decide(request) for request in prepared[:checked]])
    form = f"{peer.form}; behind a Python dict" if behind_dict else peer.form
    yield case.row(
        f"{peer.package} {peer.version}", form, ns_per_call(engine.decide, prepared, budget_s)
    )
