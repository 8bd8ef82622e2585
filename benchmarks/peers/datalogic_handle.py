"""JSON-Logic in Rust on requests that were parsed beforehand: the engine alone, without its input."""

from __future__ import annotations

from datalogic_py import DataHandle
from datalogic_py import Engine as LogicEngine

from benchmarks.model import Workload
from benchmarks.peers import Engine
from benchmarks.peers.datalogic import chain


def build(workload: Workload) -> Engine:
    """The same chain; the handles are made outside the clock."""
    logic = LogicEngine()
    rule, evaluate = chain(logic, workload), logic.session().evaluate_int

    def decide(handle: DataHandle) -> int:
        return evaluate(rule, handle)

    return Engine(DataHandle, decide)
