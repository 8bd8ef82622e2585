"""The parser's tables as they are used: loaded once from `parser_tables.json`.

Out: for each state a map from terminal to action and one from nonterminal to state, and the rules
with their plans; the format is described in `build_parser.py`, which writes it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from govlang.dsl.record import record

PASS, LIST, CALL = 0, 1, 2


@record
class Reduction:
    """One rule: pop `length` values, make one of them, go on at `nonterminal`.

    `what` is PASS (the child at `plan[0]` as it is), LIST (a list for the parent to splice) or
    CALL (the builder's `method`); `simple` when the plan only picks children.
    """

    nonterminal: str
    length: int
    what: int
    method: str
    plan: tuple[int | None, ...]
    simple: bool


@record
class Tables:
    """`actions[state][terminal]` shifts (>= 0) or reduces (< 0); `gotos[state][nonterminal]`."""

    starts: dict[str, int]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    reductions: tuple[Reduction, ...]

    def accepts(self, stack: list[int], terminal: str) -> bool:
        """Whether the parser with these states could read the terminal next."""
        states = list(stack)
        while (code := self.actions[states[-1]].get(terminal)) is not None:
            if code >= 0:
                return True
            reduction = self.reductions[-1 - code]
            if reduction.length:
                del states[-reduction.length :]
            states.append(self.gotos[states[-1]][reduction.nonterminal])
        return False


@cache
def load() -> Tables:
    """The tables that the package ships."""
    text = Path(__file__).with_name("parser_tables.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return Tables(
        data["starts"],
        tuple(state[0] for state in data["states"]),
        tuple(state[1] for state in data["states"]),
        tuple(_reduction(*rule) for rule in data["rules"]),
    )


def _reduction(nonterminal: str, length: int, method: str, plan: list[int | None]) -> Reduction:
    what = {"pass": PASS, "list": LIST}.get(method, CALL)
    simple = all(i is not None and i >= 0 for i in plan)
    return Reduction(nonterminal, length, what, method, tuple(plan), simple)
