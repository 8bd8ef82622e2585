"""Random programs in the documented part of C: helpers of every form, and a step that calls them.

In: a seeded generator.  Out: the source of a policy whose header is `HEADER`.

What always holds: the text is of the documented part, so that a refusal is a fault of the reader; most
values stay small, so that most runs are defined.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

TYPES: Final = ("int32_t", "uint32_t", "int64_t", "uint64_t")
MEMBERS: Final = {f"{kind[0]}{kind[-4:-2]}_{n}": kind for kind in TYPES for n in range(2)}
OUTPUTS: Final = {f"out_{kind[0]}{kind[-4:-2]}": kind for kind in TYPES}

_INPUTS = "\n".join(f"    {kind} {name};" for name, kind in MEMBERS.items())
_RESULTS = "\n".join(f"    {kind} {name};" for name, kind in OUTPUTS.items())
HEADER: Final = f"""#ifndef RANDOM_H
#define RANDOM_H
#include <stddef.h>
#include <stdint.h>
typedef struct {{
{_INPUTS}
}} random_request_t;
#define RANDOM_REQUEST_UNSET {{ {", ".join("0" for _ in MEMBERS)} }}
typedef struct {{
    int32_t decision;
{_RESULTS}
}} random_outcome_t;
int32_t random_decide(const random_request_t *request, random_outcome_t *outcome);
int32_t random_commit(const random_request_t *request, random_outcome_t *outcome);
#endif
"""

_POINTERS: Final = {
    "request": "const random_request_t *request",
    "outcome": "random_outcome_t *outcome",
}


@dataclass(slots=True)
class Function:
    """A helper: what it gives (nothing: `void`), what it takes, whether it is one `return`."""

    name: str
    gives: str
    takes: Sequence[str]
    pointers: Sequence[str]
    short: bool


@dataclass(slots=True)
class Program:
    """A source that grows function by function."""

    rng: random.Random
    functions: list[Function] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def source(self) -> str:
        """The whole text."""
        self.lines = [
            '#include "random.h"',
            "typedef char random_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];",
        ]
        for _ in range(self.rng.randint(2, 6)):
            self.function()
        self.decide()
        return "\n".join(self.lines) + "\n"

    def function(self) -> None:
        """A helper of any form; it calls only those before it."""
        rng, name = self.rng, f"f{len(self.functions)}"
        short = rng.random() < 0.4
        gives = rng.choice(TYPES) if short or rng.random() < 0.7 else "void"
        takes = [rng.choice(TYPES) for _ in range(rng.randint(0, 3))]
        pointers = [one for one in _POINTERS if rng.random() < 0.4]
        pointers = ["outcome"] if gives == "void" else [p for p in pointers if p == "request"]
        own = Function(name, gives, takes, pointers, short)
        names = {f"p{n}": kind for n, kind in enumerate(takes)}
        parts = [_POINTERS[p] for p in pointers] + [f"{k} {n}" for n, k in names.items()]
        self.lines.append(f"static {gives} {name}({', '.join(parts) or 'void'})\n{{")
        block = Block(self, names, frozenset(names), pointers, gives)
        if short:
            self.lines.append(f"    return {block.value(gives, 3)};")
        else:
            block.body(2)
            self.lines.append(f"    return {block.value(gives, 2)};" if gives != "void" else "")
        self.lines.append("}")
        self.functions.append(own)

    def decide(self) -> None:
        """The step; it uses every helper, or a compiler complains."""
        self.lines.append(
            f"int32_t random_decide({', '.join(_POINTERS.values())})\n{{\n"
            "    if (outcome == NULL) {\n        return -2;\n    }\n"
            "    outcome->decision = 4;"
        )
        self.lines += [f"    outcome->{name} = 0u;" for name in OUTPUTS]
        self.lines.append("    if (request == NULL) {\n        return -2;\n    }")
        block = Block(self, {}, frozenset(), ["request", "outcome"], "int32_t")
        for one in self.functions:
            block.use(one)
        block.body(3)
        for name, kind in OUTPUTS.items():
            self.lines.append(f"    outcome->{name} = {block.value(kind, 3)};")
        self.lines.append(
            "    return 0;\n}\n"
            f"int32_t random_commit({', '.join(_POINTERS.values())})\n{{\n"
            "    return random_decide(request, outcome);\n}"
        )


@dataclass(slots=True)
class Block:
    """A place in a function: what its names are, which of them may not be set."""

    program: Program
    names: dict[str, str]
    fixed: frozenset[str]
    pointers: Sequence[str]
    gives: str
    indent: str = "    "
    declared: set[str] = field(default_factory=set)

    # --- values ----------------------------------------------------------------------------------

    def value(self, kind: str, depth: int) -> str:
        """An expression of a type, as an operand."""
        rng = self.program.rng
        pick = rng.random()
        if depth == 0 or pick < 0.25:
            return self.leaf(kind)
        if pick < 0.55:
            return self.operation(kind, depth)
        if pick < 0.7:
            left, right = self.value(kind, depth - 1), self.value(kind, depth - 1)
            return f"(({self.truth(depth - 1)}) ? {left} : {right})"
        if pick < 0.85:
            return self.call(kind, depth) or self.leaf(kind)
        other = rng.choice(TYPES)
        return f"({kind})({self.value(other, depth - 1)} & {self.number(other, 1023)})"

    def operation(self, kind: str, depth: int) -> str:
        rng = self.program.rng
        left, right = self.value(kind, depth - 1), self.value(kind, depth - 1)
        signs = ["+", "-", "&", "|", "^"]
        if kind != "uint32_t":
            signs.append("*")
        if kind[0] == "i":
            signs += ["/", "%"]
        sign = rng.choice([*signs, "<<", ">>"])
        if sign in ("<<", ">>"):
            left = f"({left} & {self.number(kind, 255)})" if kind[0] == "i" else left
            right = str(rng.randint(0, 7))
        elif sign in ("/", "%"):
            right = self.number(kind, rng.choice((1, 2, 7)))
        elif kind[0] == "i" and rng.random() < 0.9:
            left = f"({left} % {self.number(kind, 999)})"
            right = f"({right} % {self.number(kind, 999)})"
        return f"({kind})({left} {sign} {right})"

    def truth(self, depth: int) -> str:
        """A condition."""
        rng = self.program.rng
        if depth > 0 and rng.random() < 0.4:
            sign = rng.choice(("&&", "||"))
            return f"({self.truth(depth - 1)}) {sign} ({self.truth(depth - 1)})"
        if rng.random() < 0.15:
            return f"!({self.truth(max(depth - 1, 0))})"
        kind = rng.choice(TYPES)
        sign = rng.choice(("==", "!=", "<", "<=", ">", ">="))
        return f"{self.value(kind, depth - 1 if depth else 0)} {sign} {self.leaf(kind)}"

    def leaf(self, kind: str) -> str:
        rng = self.program.rng
        found = [name for name, own in self.names.items() if own == kind]
        if "request" in self.pointers:
            found += [f"request->{name}" for name, own in MEMBERS.items() if own == kind]
        if found and rng.random() < 0.8:
            return rng.choice(found)
        return self.number(kind, rng.choice((0, 1, 2, 5, 31, 255, 65536)))

    def number(self, kind: str, value: int) -> str:
        suffix = {"int32_t": "", "uint32_t": "u", "int64_t": "ll", "uint64_t": "ull"}[kind]
        return f"{value}{suffix}"

    def call(self, kind: str, depth: int) -> str | None:
        """A call of a helper that is one `return`, if there is one of the type."""
        fits = [one for one in self.callable() if one.short and one.gives == kind]
        return self.called(self.program.rng.choice(fits), depth) if fits else None

    def called(self, one: Function, depth: int) -> str:
        given = [*one.pointers, *(self.value(kind, depth - 1) for kind in one.takes)]
        return f"{one.name}({', '.join(given)})"

    # --- statements ------------------------------------------------------------------------------

    def put(self, line: str) -> None:
        self.program.lines.append(f"{self.indent}{line}")

    def inner(self) -> Block:
        """A block in this one, whose names may hide those outside."""
        return Block(
            self.program,
            dict(self.names),
            self.fixed,
            self.pointers,
            self.gives,
            f"{self.indent}    ",
        )

    def body(self, depth: int) -> None:
        for _ in range(self.program.rng.randint(1, 4)):
            self.statement(depth)

    def declare(self, kind: str, text: str) -> None:
        """A local; in an inner block it may hide one outside, unless its first value reads that."""
        rng = self.program.rng
        self.program.count += 1
        name, outside = f"x{self.program.count}", {*self.names} - self.declared
        hidden = sorted(one for one in outside if not re.search(rf"\b{one}\b", text))
        if self.indent != "    " and hidden and rng.random() < 0.4:
            name = rng.choice(hidden)
        const = rng.random() < 0.3
        self.put(f"{'const ' if const else ''}{kind} {name} = {text};")
        self.names[name] = kind
        self.declared.add(name)
        self.fixed = self.fixed | {name} if const else self.fixed - {name}

    def use(self, one: Function) -> None:
        """A call of a helper in one of the ways that it can be called."""
        if one.gives == "void":
            self.put(f"{self.called(one, 2)};")
        elif self.program.rng.random() < 0.2:
            self.put(f"(void){self.called(one, 2)};")
        else:
            self.declare(one.gives, self.called(one, 2))

    def statement(self, depth: int) -> None:
        rng = self.program.rng
        settable = [name for name in self.names if name not in self.fixed]
        pick = rng.random()
        if pick < 0.25 or (pick < 0.5 and not settable):
            kind = rng.choice(TYPES)
            self.declare(kind, self.value(kind, 3))
        elif pick < 0.5:
            self.assign(rng.choice(settable))
        elif pick < 0.6 and "outcome" in self.pointers:
            name = rng.choice(tuple(OUTPUTS))
            self.put(f"outcome->{name} = {self.value(OUTPUTS[name], 3)};")
        elif pick < 0.7 and (fits := self.callable()):
            self.use(rng.choice(fits))
        elif pick < 0.9 and depth:
            self.choice(depth)
        elif depth:
            self.switch(depth)

    def callable(self) -> list[Function]:
        return [one for one in self.program.functions if {*one.pointers} <= {*self.pointers}]

    def assign(self, name: str) -> None:
        rng, kind = self.program.rng, self.names[name]
        sign = rng.choice(
            ("=", "=", "|=", "^=", "&=") if kind[0] == "i" else ("=", "|=", "+=", "-=")
        )
        fits = [one for one in self.callable() if one.gives == kind]
        if sign == "=" and fits and rng.random() < 0.4:
            self.put(f"{name} = {self.called(rng.choice(fits), 2)};")
        else:
            self.put(f"{name} {sign} {self.value(kind, 3)};")

    def choice(self, depth: int) -> None:
        """`if`, perhaps with a `return` in one branch."""
        rng = self.program.rng
        self.put(f"if ({self.truth(2)}) {{")
        then = self.inner()
        then.body(depth - 1)
        leaves = self.indent == "    " and rng.random() < 0.4
        if leaves:
            given = "" if self.gives == "void" else f" {then.value(self.gives, 2)}"
            then.put(f"return{given};")
        if rng.random() < 0.5:
            self.put("} else {")
            self.inner().body(depth - 1)
        self.put("}")

    def switch(self, depth: int) -> None:
        rng = self.program.rng
        kind = rng.choice(TYPES)
        self.put(f"switch ({self.value(kind, 2)} & {self.number(kind, 3)}) {{")
        labels = rng.sample(range(4), rng.randint(1, 4))
        while labels:
            for _ in range(min(len(labels), rng.choice((1, 1, 2)))):
                self.put(f"case {labels.pop()}:")
            self.part(depth)
        if rng.random() < 0.5:
            self.put("default:")
            self.part(depth)
        self.put("}")

    def part(self, depth: int) -> None:
        self.put("{")
        self.inner().body(depth - 1)
        self.put("    break;")
        self.put("}")
