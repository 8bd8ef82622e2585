"""OPA's language by regorus (opa-eval): JSON text in, the decision's number out."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from opa_eval import OpaEval

from benchmarks.model import Workload
from benchmarks.peers import Engine
from benchmarks.peers.rego import QUERY, module_and_data


def build(workload: Workload) -> Engine:
    """Loads the module and its data once."""
    module, data = module_and_data(workload)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.rego")
        path.write_text(module)
        engine = OpaEval(str(path), json.dumps(data), QUERY)
    return Engine(json.dumps, engine.evaluate_parsed)
