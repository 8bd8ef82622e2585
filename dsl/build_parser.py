"""Builds the parser's tables from the grammar: run by whoever changes `policy.lark`.

In: `policy.lark`. Out: `parser_tables.json`, LALR(1) tables that `reading.py` runs without Lark, so
that the command starts fast. `python -m govlang.dsl.build_parser` writes the file; a test holds it
against a rebuild and builds the grammar with `strict=True`, so that a conflict fails. States and
rules are numbered in an order that depends on the grammar only.

The tables: `starts` (start symbol to state), `states` (a pair of maps each: terminal to action,
nonterminal to state) and `rules` (nonterminal, length, what to do, plan). An action n >= 0 shifts
to state n, n < 0 reduces by rule -1 - n. A plan names the children that the builder gets, by
index; null is an absent optional part, and `~i` (a negative number) splices child i's list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lark import Lark
from lark.common import LexerConf
from lark.grammar import Rule, Symbol
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

GRAMMAR = Path(__file__).with_name("policy.lark")
TABLES = Path(__file__).with_name("parser_tables.json")
STARTS = ("file", "cell_source")

Code = int
State = tuple[dict[str, Code], dict[str, int]]


class _NoLexer(Lexer):
    """Stands in for a lexer, since only the tables are wanted."""

    def __init__(self, conf: LexerConf) -> None:
        """Lark builds its lexer from a configuration."""

    def lex(self, *_: Any) -> Iterator[Any]:
        """Never called: nothing is parsed here."""
        raise AssertionError("the tables are built, not run")


def grammar(text: str) -> Lark:
    """The grammar checked for conflicts; raises `lark.exceptions.GrammarError` where there is one."""
    return Lark(
        text,
        parser="lalr",
        start=list(STARTS),
        strict=True,
        lexer=_NoLexer,
        maybe_placeholders=True,
    )


def build(text: str) -> dict[str, Any]:
    """The tables of a grammar, as they are written to JSON."""
    lark = grammar(text)
    spelling = {t.name: t.pattern.value for t in lark.terminals if t.pattern.type == "str"}
    table = lark.parser.parser._parse_table  # noqa: SLF001
    rules = sorted(_rules(table.states), key=_rule_key)
    number = {id(rule): i for i, rule in enumerate(rules)}
    order = _numbering(table)
    states = [_state(table.states[old], order, number, spelling) for old in order]
    for old in table.end_states.values():
        states[order[old]][0]["$END"] = 0  # the whole symbol is read: any shift will do
    return {
        "starts": {name: order[old] for name, old in sorted(table.start_states.items())},
        "states": states,
        "rules": [_rule(rule) for rule in rules],
    }


def _rules(states: dict[int, dict[str, tuple[Any, Any]]]) -> list[Rule]:
    found = {
        id(arg): arg
        for row in states.values()
        for action, arg in row.values()
        if action is not Shift
    }
    return list(found.values())


def _rule_key(rule: Rule) -> tuple[str, list[str], str]:
    return rule.origin.name, [s.name for s in rule.expansion], rule.alias or ""


def _numbering(table: Any) -> dict[int, int]:
    """Old state to new, breadth first from the starts, edges in the order of their symbols."""
    order: dict[int, int] = {}
    queue = [old for _, old in sorted(table.start_states.items())]
    while queue:
        old = queue.pop(0)
        if old in order:
            continue
        order[old] = len(order)
        row = table.states[old]
        queue += [row[s][1] for s in sorted(row) if row[s][0] is Shift]
    return order


def _state(
    row: dict[str, tuple[Any, Any]],
    order: dict[int, int],
    number: dict[int, int],
    spelling: dict[str, str],
) -> State:
    actions: dict[str, Code] = {}
    gotos: dict[str, int] = {}
    for symbol, (action, arg) in sorted(row.items()):
        name = spelling.get(symbol, symbol)
        if action is not Shift:
            actions[name] = -1 - number[id(arg)]
        elif symbol.isupper() or symbol in spelling or symbol == "$END":
            actions[name] = order[arg]
        else:
            gotos[name] = order[arg]
    return dict(sorted(actions.items())), gotos


def _rule(rule: Rule) -> tuple[str, int, str, list[int | None]]:
    """One rule: nonterminal, length, `pass`, `list` or the builder's method, and the plan."""
    origin = rule.origin.name
    plan = list(_plan(rule))
    if rule.alias:
        what = rule.alias
    elif origin.startswith("_"):
        what = "list"
    elif rule.options.expand1 and len(plan) == 1:
        what = "pass"
    else:
        what = origin
    return origin, len(rule.expansion), what, plan


def _plan(rule: Rule) -> Iterator[int | None]:
    gaps = _gaps(rule)
    for i, symbol in enumerate(rule.expansion):
        yield from [None] * gaps[i]
        if rule.options.keep_all_tokens or not _dropped(symbol):
            yield ~i if _spliced(symbol) else i
    yield from [None] * gaps[-1]


def _gaps(rule: Rule) -> list[int]:
    """How many absent optional parts stand before each symbol, and after the last."""
    empty = rule.options.empty_indices
    if not empty:
        return [0] * (len(rule.expansion) + 1)
    return [len(run) for run in "".join(str(int(e)) for e in empty).split("0")]


def _dropped(symbol: Symbol) -> bool:
    return symbol.is_term and bool(getattr(symbol, "filter_out", False))


def _spliced(symbol: Symbol) -> bool:
    return not symbol.is_term and symbol.name.startswith("_")


def serialise(tables: dict[str, Any]) -> str:
    """The tables as JSON, a state or a rule a line, so that a change can be read."""
    parts = [f'{{"starts":{_compact(tables["starts"])},\n"states":[\n']
    parts.append(",\n".join(_compact(s) for s in tables["states"]))
    parts.append('],\n"rules":[\n')
    parts.append(",\n".join(_compact(r) for r in tables["rules"]))
    parts.append("]}\n")
    return "".join(parts)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    """Write the tables."""
    TABLES.write_text(serialise(build(GRAMMAR.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
