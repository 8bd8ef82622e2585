"""The parameters of a deployment, read by the one rule of `native/request.py`.

In: what is given, in the declared units.  Out: steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from govlang.native.errors import TableError
from govlang.native.request import Column, InvalidFieldError, read_value


def read_params(declared: Mapping[str, Column], given: Mapping[str, Any]) -> dict[str, int]:
    """Every parameter that is given, in steps, in order of declaration.

    Raises:
        TableError: GOV411 a parameter is unknown or out of range.
    """
    for name in given:
        if name not in declared:
            names = ", ".join(declared) or "none"
            raise TableError("GOV411", f"`{name}` is no parameter", f"the parameters: {names}")
    return {name: _steps(one, given[name]) for name, one in declared.items() if name in given}


def _steps(one: Column, raw: Any) -> int:
    try:
        steps = read_value(one, raw)
    except InvalidFieldError as error:
        raise TableError("GOV411", f"the parameter {error}") from None
    assert isinstance(steps, int)
    return steps
