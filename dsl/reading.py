"""The parser: tokens in, the builder's nodes out, and every syntax error on the way.

It runs the LALR(1) tables that `build_parser.py` makes of `policy.lark`, with two additions:
which words are keywords is decided by the state (a word is one only where the grammar expects
it), and after an error it goes on at the next line that begins a declaration, a field, a row or
a test step, so that one run reports the mistakes of a whole file.

INVARIANT: the five stacks have equal heights (states one more); `depths` counts the nodes above
one another, which no tree passes MAX_DEPTH.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from govlang.dsl import ast, recovery, syntax_errors
from govlang.dsl.builder import Builder
from govlang.dsl.diagnostics import Diagnostic, Diagnostics, fail
from govlang.dsl.keywords import CALLS, KEYWORDS
from govlang.dsl.lexer import END, ROW_END, WHOLE, WORD, Tokens
from govlang.dsl.limits import MAX_DEPTH
from govlang.dsl.source import Span
from govlang.dsl.tables import LIST, PASS, Reduction, Tables, load


def _effect(tokens: Tokens, after: int) -> bool:
    """In a cell `deny and do x` is a decision, `deny and "x"` a member of that name."""
    texts, terminals = tokens.texts, tokens.terminals
    return texts[after] != "and" or (texts[after + 1] == "do" and terminals[after + 2] == WORD)


def _contains(tokens: Tokens, after: int) -> bool:
    """`contains and |` asks for the label `and`; `contains and x` begins with a member."""
    if tokens.texts[after] == "and" and tokens.texts[after + 1] != "and":
        return tokens.terminals[after + 1] in {"|", ROW_END, END}
    return tokens.terminals[after] in {WORD, "STRING"}


def _call(tokens: Tokens, after: int) -> bool:
    return tokens.terminals[after] == "("


def _step(tokens: Tokens, after: int) -> bool:
    """After `expect limit`, a word before `to` is the field that is limited."""
    return tokens.terminals[after] == WORD and tokens.texts[after] != "to"


_SOFT: dict[str, Callable[[Tokens, int], bool]] = {
    **dict.fromkeys(CALLS, _call),
    "any": lambda tokens, after: tokens.terminals[after] == "{",
    "all": lambda tokens, after: tokens.terminals[after] == "{",
    "decision": lambda tokens, after: tokens.texts[after] in {"is", "in"},
    "always": lambda tokens, after: (
        tokens.texts[after] == "possible" and tokens.terminals[after + 1] == "("
    ),
    "enters": lambda tokens, after: (
        tokens.terminals[after] == WORD and tokens.terminals[after + 1] == "."
    ),
    # in cells, where a member may be called like an effect or a test
    "allow": _effect,
    "deny": _effect,
    "throttle": _effect,
    "require": lambda tokens, after: tokens.texts[after] == "human",
    "limit": lambda tokens, after: (
        tokens.terminals[after] == WORD and tokens.texts[after + 1] == "to"
    ),
    "like": lambda tokens, after: tokens.terminals[after] == "STRING",
    "under": lambda tokens, after: tokens.terminals[after] == "STRING",
    "contains": _contains,
    # after `expect limit`, which may be all of it or go on with `FIELD to VALUE`
    "and": lambda tokens, after: tokens.texts[after] in {"do", "limit"},
    "at": lambda tokens, after: tokens.terminals[after] == "NUMERAL",
    "by": lambda tokens, after: tokens.terminals[after] == "STRING" or tokens.texts[after] != "to",
    "request": lambda tokens, after: tokens.terminals[after] == "{",
    "event": _step,
    "signal": _step,
    "lose": _step,
    "stick": _step,
    "tick": lambda tokens, after: tokens.texts[after] != "to",
    "clock": lambda tokens, after: tokens.texts[after] == "back",
    "expect": lambda tokens, after: tokens.texts[after] != "to" or tokens.texts[after + 1] == "is",
}
"""Where a name may stand too, these are keywords only if the token `after` them is such a one."""


_MARKED = {":": "FIELD", "->": "SOURCE", "may": "LEVEL", "is": "SUBJECT"}
"""What a word is before such a token, in the states that expect one."""

_BEFORE_NAMES = frozenset({"and", "contains", "implies", "is", "or", "per", "since", "when"})
"""After a level's rights or condition these go on with it; so `and may` reads a field `may`."""

_NAMES = frozenset({"NAME", *_MARKED.values()})


class Reader:
    """One run over the tokens of one source."""

    def __init__(self, tokens: Tokens, builder: Builder, found: Diagnostics) -> None:
        self.tables: Tables = load()
        self.tokens = tokens
        self.found = found
        self._builder = builder
        self._methods = [getattr(builder, r.method, None) for r in self.tables.reductions]
        self.states: list[int] = []
        self.values: list[Any] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._depths: list[int] = []

    def read(self, start: str) -> Any:
        """The node of the start symbol, or None where errors left nothing to go on with."""
        self.states.append(self.tables.starts[start])
        at, resumed = 0, -1
        while True:
            stopped = self._run(at)
            if stopped is None:
                return self.values[-1]
            self._report(syntax_errors.explain(self, stopped))
            point = recovery.find(self, stopped + (stopped == resumed))
            if point is None:
                return None
            at = resumed = point.token
            self._unwind(point.height)

    def _report(self, error: Diagnostic) -> None:
        """Keep the error unless a stray character on its line has brought it about."""
        line = None if error.span is None else error.span.line
        stray = any(d.span.line == line for d in self.found if d.code == "GOV105" and d.span)
        if error.code != "GOV110" or not stray:
            self.found.add(error)

    def _word(self, at: int) -> str:
        expected = self.tables.actions[self.states[-1]]
        after = self.tokens.terminals[at + 1]
        word = self.tokens.texts[at]
        marked = _MARKED.get(self.tokens.texts[at + 1] if after is WORD else after)
        if marked is not None and marked in expected and self._is_marked(at, marked):
            return marked
        if after == ":":
            return "NAME"
        if word == "by" and after == "NUMERAL" and "_PANE" in expected:
            return "_PANE"
        if word not in KEYWORDS or word not in expected:
            return "NAME"
        if "NAME" in expected and word in _SOFT and not _SOFT[word](self.tokens, at + 1):
            return "NAME"
        return word

    def _is_marked(self, at: int, marked: str) -> bool:
        """After `expect`, `limit is to 3` limits a field `is`; `when may` and `and may` read one."""
        word = self.tokens.texts[at]
        if marked == "SUBJECT":
            return word != "limit" or self.tokens.texts[at + 2] != "to"
        if marked != "LEVEL":
            return True
        return word not in _BEFORE_NAMES and self.tables.accepts(self.states, marked)

    def _run(self, at: int) -> int | None:
        """Read from token `at` to the end: None, or the token at which the reading stopped."""
        actions, reductions = self.tables.actions, self.tables.reductions
        terminals, states = self.tokens.terminals, self.states
        reduce, shift, word = self._reduce, self._shift, self._word
        while True:
            terminal = terminals[at]
            if terminal is WORD:
                terminal = word(at)
            code = actions[states[-1]].get(terminal)
            while code is not None and code < 0:
                reduce(reductions[-1 - code], -1 - code)
                code = actions[states[-1]].get(terminal)
            if code is None:
                if terminal is WHOLE:  # a comma like others: `least(count(e) in 1 h, under)`
                    terminals[at] = ","
                    continue
                return at
            if terminal is END:
                return None
            shift(terminal, code, at)
            at += 1

    def _shift(self, terminal: str, state: int, at: int) -> None:
        tokens = self.tokens
        start, end = tokens.starts[at], tokens.ends[at]
        value: Any = tokens.texts[at]
        if terminal in _NAMES:
            value = ast.Name(value, self._builder.span(start, end))
        elif terminal == "STRING":
            value = ast.String(value, self._builder.span(start, end))
        self.states.append(state)
        self.values.append(value)
        self._starts.append(start)
        self._ends.append(end)
        self._depths.append(0)

    def _reduce(self, rule: Reduction, number: int) -> None:
        states, values = self.states, self.values
        length = rule.length
        if length == 1:
            if rule.what != PASS:
                values[-1] = self._make(rule, number, values[-1:], self._starts[-1], self._ends[-1])
            states[-1] = self.tables.gotos[states[-2]][rule.nonterminal]
            return
        if length == 0:
            start = end = self._ends[-1] if self._ends else 0
            children, depth = [], 0
        else:
            start, end = self._starts[-length], self._ends[-1]
            children, depth = values[-length:], max(self._depths[-length:])
            del states[-length:], values[-length:]
            del self._starts[-length:], self._ends[-length:], self._depths[-length:]
        if rule.what == PASS:
            value = children[rule.plan[0] or 0]
        else:
            value = self._make(rule, number, children, start, end)
            depth += rule.what != LIST
            if depth > MAX_DEPTH:
                self._too_deep(self._builder.span(start, end))
        states.append(self.tables.gotos[states[-1]][rule.nonterminal])
        values.append(value)
        self._starts.append(start)
        self._ends.append(end)
        self._depths.append(depth)

    def _make(self, rule: Reduction, number: int, children: list[Any], start: int, end: int) -> Any:
        plan = rule.plan
        if rule.what == LIST:
            return _spliced(plan, children)
        method = self._methods[number]
        span = self._builder.span(start, end)
        if rule.simple:
            return method(span, *[children[i] for i in plan])  # type: ignore[misc,index]
        return method(span, *_spliced(plan, children))  # type: ignore[misc]

    def _too_deep(self, span: Span) -> None:
        raise fail(
            "GOV104",
            f"this nests more than {MAX_DEPTH} deep",
            span,
            help="name parts of the expression with `let`",
        )

    def _unwind(self, height: int) -> None:
        """Drop what stands above `height` values."""
        for stack in (self.values, self._starts, self._ends, self._depths):
            del stack[height:]
        del self.states[height + 1 :]


def _spliced(plan: tuple[int | None, ...], children: list[Any]) -> list[Any]:
    first, rest = plan[:1], plan[1:]
    if first and first[0] is not None and first[0] < 0:
        out: list[Any] = children[~first[0]]  # the list is this parent's alone, so it may grow
    else:
        out, rest = [], plan
    for i in rest:
        if i is None:
            out.append(None)
        elif i < 0:
            out.extend(children[~i])
        else:
            out.append(children[i])
    return out
