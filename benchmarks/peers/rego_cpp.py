"""OPA's language by rego-cpp (regopy): a bundle built once, then input set and query run."""

from __future__ import annotations

from regopy import Interpreter  # type: ignore[import-untyped]

from benchmarks.model import Request, Workload
from benchmarks.peers import Engine
from benchmarks.peers.rego import module_and_data


def build(workload: Workload) -> Engine:
    """Builds the bundle of the module and its data."""
    module, data = module_and_data(workload)
    builder, runner = Interpreter(), Interpreter()
    builder.add_data(data)
    builder.add_module("bench.rego", module)
    bundle = builder.build("x = data.bench.decision", ["bench/decision"])

    def decide(request: Request) -> int:
        runner.set_input(request)
        output = runner.query_bundle(bundle)  # owns the nodes read from it
        found = int(output.binding("x").value)
        del output
        return found

    return Engine(lambda request: request, decide)
