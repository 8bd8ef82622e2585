"""Values of a field as a column of Arrow, as a caller of `decide_batch` has them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from govlang.compiler import ir


def arrow_column(field: ir.Field, values: list[Any]) -> pa.Array:
    """The values of a field, absent ones as nulls."""
    match field.kind:
        case ir.Kind.NUMBER if field.step_den > 1:
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
        case ir.Kind.NUMBER | ir.Kind.TIME | ir.Kind.DURATION:
            return pa.array(values, pa.int64())
        case ir.Kind.SET:
            return pa.array(values, pa.list_(pa.string()))
        case ir.Kind.BOOL:
            return pa.array(values, pa.bool_())
        case _:
            return pa.array(values, pa.string())
