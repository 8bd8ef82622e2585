"""The engines that stand beside ours; each module prints a workload in its engine's own form.

Every peer gets its best fair form: compiled ahead where it can be, indexed where it can be, and the request
already in the shape that it reads fastest (built outside the clock). `sharded.py` lets an engine that scans its
rules be called behind a Python dictionary on the equality columns, as a careful host would do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.model import Request, Workload

Prepare = Callable[[Request], Any]
Decide = Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Engine:
    """A workload compiled by a peer: `decide(prepare(request))` is the position of the first rule that fires."""

    prepare: Prepare
    decide: Decide


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer: its package, its module here, how it is used, and whether it scans its rules one after the other."""

    package: str
    module: str
    form: str
    scans: bool

    @property
    def version(self) -> str | None:
        """The installed version, or nothing."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    def build(self, workload: Workload) -> Engine:
        """Compiles the workload."""
        engine: Engine = import_module(f"benchmarks.peers.{self.module}").build(workload)
        return engine


PEERS = (
    Peer(
        "common-expression-language",
        "cel_rules",
        "dict in; a compiled program a rule, in order (to 24 rules: one nested conditional)",
        scans=True,
    ),
    Peer("cedarpy", "cedar", "request dict in; parsed PolicySet, `reasons` read", scans=True),
    Peer("datalogic-py", "datalogic", "dict in; one compiled `if` chain in a session", scans=True),
    Peer(
        "datalogic-py", "datalogic_handle", "request parsed beforehand; the same chain", scans=True
    ),
    Peer(
        "zen-engine",
        "zen_table",
        "dict in; a decision table with hit policy `first`, compiled",
        scans=False,
    ),
    Peer(
        "opa-eval",
        "opa",
        "JSON text in; rules as data, found by key (8 rules: an `else` chain)",
        scans=False,
    ),
    Peer("regopy", "rego_cpp", "dict in; the same Rego module, built to a bundle", scans=False),
)
