"""Many cases at once: cases of one shape in, columns for `Policy.decide_batch`, rulings out.

What always holds: a column is made only of values that it holds exactly, so that each ruling is the one that asking
case by case gives; whatever is otherwise is asked case by case.  For policies over single requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import TableError
from govlang.native.request import APPROVED
from govlang.runtime.control.replay.asking import Answered, Asker
from govlang.runtime.control.replay.case import Case, Ruling
from govlang.runtime.control.values import NUMERIC
from govlang.runtime.decision import DECISIONS

if TYPE_CHECKING:
    from govlang.native.schema import Field

WORTH: Final = 32
"""From so many cases of one shape on, columns are quicker than asking one by one."""

DIGITS: Final = 15
"""So many digits a double keeps as they were written."""

_DECIMAL: Final = re.compile(r"(?:-?\d+(?:\.\d+)? )*", re.ASCII)
_TEXTS: Final = frozenset({"text", "path", "key", "enum"})


class Batch:
    """Asks a policy about many cases."""

    def __init__(self, asker: Asker) -> None:
        policy = asker.policy
        self._asker = asker
        self._inputs = {one.name: one for one in policy.fields if one.origin == "request"}
        self._hosted = {one.name: one for one in policy.fields if one.origin == "runtime"}
        self._needed = {
            one.name for one in self._inputs.values() if not one.optional and one.implied is None
        }
        self._made: dict[tuple[int, str], Answered] = {}
        # the clock differs from row to row, and what is remembered from case to case
        has_time = policy.memory is not None or policy.time_zone is not None
        self._is_columnar = not has_time and all(
            find_spec(name) is not None for name in ("numpy", "pyarrow")
        )

    def ask(self, cases: Sequence[Case]) -> list[Answered]:
        """The answers, in order."""
        found: dict[int, Answered] = {}
        for shape, members in self._shapes(cases):
            if shape is not None and len(members) >= WORTH:
                found |= self._columns(members)
        return [found.get(one.seq) or self._asker.ask(one) for one in cases]

    def _shapes(self, cases: Sequence[Case]) -> Iterable[tuple[Any, list[Case]]]:
        shapes: dict[Any, list[Case]] = {}
        if self._is_columnar:
            for one in cases:
                shapes.setdefault(self._shape(one), []).append(one)
        return shapes.items()

    def _shape(self, case: Case) -> Any:
        """What cases of one table have in common; None: it must be asked by itself."""
        if case.delegation or case.old.is_invalid:
            return None
        names = case.request.keys()
        if not (self._needed <= names <= self._inputs.keys()):
            return None
        return tuple(case.request), tuple(case.runtime), bool(case.agent)

    def _columns(self, cases: list[Case]) -> dict[int, Answered]:
        """The rulings of cases of one shape, by `seq`, without those that columns cannot say."""
        try:
            given = {
                name: _column(self._inputs[name], [one.request[name] for one in cases])
                for name in cases[0].request
            }
            hosted = {
                name: _column(self._hosted[name], self._host_values(name, cases))
                for name in self._asker.runtime(cases[0])
                if name != APPROVED
            }
            from govlang.runtime.batch import BY_DEFAULT, BY_INVALID

            outcome = self._asker.policy.decide_batch(given, runtime=hosted)
        except (TableError, ValueError, TypeError):
            return {}
        names = outcome.rule_ids
        decided = zip(cases, outcome.decisions.tolist(), outcome.rules.tolist(), strict=True)
        return {
            case.seq: self._known(decision, "default" if rule == BY_DEFAULT else names[rule])
            for case, decision, rule in decided
            if rule != BY_INVALID  # only the reference reader says why
        }

    def _known(self, decision: int, rule_id: str) -> Answered:
        """The answer by a rule; each is made once."""
        key = (decision, rule_id)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Answered(Ruling(DECISIONS[decision], rule_id), None)
        return found

    def _host_values(self, name: str, cases: Sequence[Case]) -> list[Any]:
        """A field of the host, as `Asker.runtime` has it of cases without a chain."""
        if name in cases[0].runtime:
            return [one.runtime[name] for one in cases]
        if name == "origin":
            return [one.agent for one in cases]
        return ["0"] * len(cases)


def _column(field: Field, values: list[Any]) -> Any:
    """A column of values as they were kept.

    Raises:
        TypeError, ValueError: a value is of another kind, or the column would not hold it exactly.
    """
    import numpy as np
    import pyarrow as pa

    if field.kind in NUMERIC:
        _check(values, str)
        return _numbers(np, field, values)
    if field.kind == "bool":
        _check(values, bool)
        return np.array(values)
    if field.kind in _TEXTS:
        _check(values, str)
        return pa.array(values)
    _check(values, list)
    return pa.array(values, pa.list_(pa.string()))


def _check(values: list[Any], kind: type) -> None:
    if set(map(type, values)) != {kind}:
        raise TypeError


def _numbers(np: Any, field: Field, texts: list[str]) -> Any:
    """Numbers of at most 15 digits, which doubles keep; of a field that rounds, whole numbers only."""
    if max(map(len, texts)) > DIGITS or not _DECIMAL.fullmatch(" ".join(texts) + " "):
        raise ValueError
    if not any("." in text for text in texts):
        return np.array(list(map(int, texts)), dtype=np.int64)
    if field.rounding != "exact":
        raise ValueError
    return np.array(list(map(float, texts)))
