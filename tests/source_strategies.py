"""Random policies as a person would write them: well-typed .gov text with every construct.

In: a source of randomness.  Out: `Written`: the text, the files it names, and what is needed to make
requests for it.  By construction every text compiles: names are declared, units fit, grids meet
where `==` asks for it, optional fields are guarded, limits stay in range, overrides point down.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from source_columns import (
    FAMILIES,
    HEADER,
    LABELS,
    MEMBERS,
    NAMES,
    PATHS,
    ROLES,
    STEPS,
    TEXTS,
    Column,
    Written,
    decimal_text,
    quoted,
)
from source_expressions import Expressions

T = TypeVar("T")


class Writer(Expressions):
    """Writes one policy."""

    # --- declarations ---

    def column(self, name: str, kinds: Sequence[str]) -> Column:
        kind = self.pick(kinds)
        if kind == "number":
            family = self.pick(list(FAMILIES))
            unit = self.pick(list(FAMILIES[family]))
            lo = self.pick([0, 0, 0, -5, 3])
            return Column(
                name, kind, family, unit, lo, lo + self.rng.randint(0, 30), self.pick(STEPS)
            )
        if kind == "duration":
            return Column(name, kind, "time", "ms", 0, 100_000)
        if kind in ("enum", "set"):
            pool = MEMBERS if kind == "enum" else LABELS
            return Column(name, kind, members=tuple(self.some(pool, 1 if kind == "set" else 2)))
        return Column(name, kind)

    def fields(self) -> str:
        kinds = ["number"] * 5 + [
            "enum",
            "enum",
            "set",
            "bool",
            "text",
            "path",
            "key",
            "duration",
            "text",
        ]
        lines = []
        for name in self.some(NAMES, 3):
            column = self.column(name, kinds)
            column = Column(
                **{
                    **vars(column),
                    "optional": self.chance(0.25),
                    "runtime": self.chance(0.15),
                }
            )
            self.columns.append(column)
            marks = " optional" * column.optional + " from runtime" * column.runtime
            marks += " private" if self.chance(0.1) else ""
            lines.append(f"  {name} : {column.type_text()}{marks}")
        return "input {\n" + "\n".join(lines) + "\n}\n"

    def declared(self) -> str:
        lines = []
        for name in self.some(["p_cap", "p_mode", "p_on"], 0):
            column = self.column(name, ["number", "number", "bool", "enum"])
            self.params.append(column)
            default = self.literal(column.value(self.rng), column)
            lines.append(f"param {name} : {column.type_text()} = {default}")
        for name in self.some(["o_rate"], 0):
            column = self.column(name, ["number"])
            self.outputs.append(column)
            lines.append(f"output {name} : {column.type_text()}")
        for name in self.some(["isolate", "page"], 0):
            kinds = ["number", "enum", "set", "bool", "text", "key"]
            parameters = [self.column(n, kinds) for n in self.some(["who", "how_far", "level"], 0)]
            self.actions[name] = parameters
            inner = " ".join(f"{p.name} : {p.type_text()}" for p in parameters)
            lines.append(f"action {name} {{ {inner} }}" if parameters else f"action {name}")
        return "".join(line + "\n" for line in lines)

    def lets(self) -> str:
        lines = []
        for i in range(self.rng.randint(0, 3)):
            name = f"l{i}"
            if self.chance(0.5):
                family = self.pick(self.families())
                lines.append(f"let {name} = {self.number(family, 2, frozenset())}")
                self.numbers[name] = family
            else:
                lines.append(f"let {name} = {self.condition(2, frozenset())}")
                self.conditions.append(name)
        return "".join(line + "\n" for line in lines)

    # --- effects ---

    def literal(self, value: Any, column: Column) -> str:
        match column.kind:
            case "number" | "duration":
                return f"{format(Decimal(value), 'f')} {column.unit}".rstrip()
            case "set":
                return "{" + ", ".join(value) + "}"
            case "bool":
                return "true" if value else "false"
            case "enum":
                return str(value)
            case _:
                return quoted(value)

    def decision(self, known: frozenset[str]) -> str:
        extra = "".join(
            f" and do {self.do()}" for _ in range(self.rng.randint(0, 2)) if self.actions
        )
        match self.rng.randrange(6):
            case 0:
                return "allow" + extra
            case 1:
                return "deny" + extra
            case 2:
                return "throttle" + self.pick(["", " retry 30 s", " retry 1.5 min"]) + extra
            case 3:
                roles = ", ".join(f'"{role}"' for role in self.some(ROLES))
                named = self.pick(["", f" from {roles}"])
                return f"require human{named}{self.pick(['', ' expires 15 min', ' expires 1 h'])}{extra}"
            case _:
                return self.limit(known) or "allow"

    def limit(self, known: frozenset[str]) -> str | None:
        targets = [
            *self.outputs,
            *(c for c in self.columns if c.kind == "number" and not c.runtime),
        ]
        if not targets:
            return None
        text = " and limit ".join(
            self.one_limit(self.pick(targets), known) for _ in range(self.rng.randint(1, 2))
        )
        return (
            "limit " + text + (f" and do {self.do()}" if self.actions and self.chance(0.3) else "")
        )

    def one_limit(self, target: Column, known: frozenset[str]) -> str:
        low, high = sorted(self.rng.randint(target.lo, target.hi) for _ in range(2))
        lo, hi = (self.steps(target, v) for v in (low, high))
        moving = self.number(target.family, 1, known)
        match self.rng.randrange(4):
            case 0:
                return f"{target.name} to {lo}..{hi}"
            case 1 if self.reads(moving):
                return f"{target.name} to greatest({lo}, least({hi}, {moving}))"
            case 2 if self.reads(moving):
                return f"{target.name} to greatest({lo}, least({hi}, {moving}))..{hi}"
            case _:
                return f"{target.name} to {hi}"

    def steps(self, target: Column, value: int) -> str:
        return f"{decimal_text(Fraction(value) * Fraction(target.step))} {target.unit}".rstrip()

    def do(self) -> str:
        name = self.pick(list(self.actions))
        args = ", ".join(
            f"{p.name} = {self.literal(p.value(self.rng), p)}" for p in self.actions[name]
        )
        return (
            name + (f"({args})" if args else "") + self.pick(["", "", " for 10 min", " for 30 s"])
        )

    def clauses(self) -> str:
        text = ' because "reason"' if self.chance(0.3) else ""
        if self.chance(0.2):
            text += ' remedy "try"'
            columns = [c for c in self.columns if not c.runtime]
            if columns:
                column = self.pick(columns)
                text += f" with {column.name} = {self.literal(column.value(self.rng), column)}"
        return text

    # --- rules ---

    def guard(self) -> tuple[str, frozenset[str]]:
        """A condition, and the optional fields that it makes known to the effect."""
        optional = [c.name for c in self.columns if c.optional]
        known = frozenset(self.some(optional, 0)) if self.chance(0.5) else frozenset[str]()
        parts = [
            *(f"has {name}" for name in sorted(known)),
            self.condition(self.rng.randint(0, 3), known),
        ]
        return " and ".join(parts), known

    def rule(self, name: str, below: list[str]) -> str:
        condition, known = self.guard()
        when = f" when {condition}" if self.chance(0.95) else ""
        text = f"rule {name}{when} {self.decision(known if when else frozenset())}{self.clauses()}"
        if below and self.chance(0.25):
            text += " overrides " + ", ".join(self.some(below)[:3])
        return text + "\n"

    def table(self, name: str, csv: dict[str, str]) -> str:
        columns = self.some(self.columns)[:3]
        limited = self.pick(self.outputs) if self.outputs and self.chance(0.4) else None
        heads = [c.name for c in columns] + [limited.name if limited else "decision"]
        rows = []
        for _ in range(self.rng.randint(1, 4)):
            cells = [self.cell(c) for c in columns]
            if limited:
                cells.append(self.steps(limited, self.rng.randint(limited.lo, limited.hi)))
            else:
                cells.append(self.decision(frozenset()))
            rows.append(cells)
        result = f"limit {limited.name}" if limited else "decision"
        head = f"table {name}({', '.join(c.name for c in columns)}) -> {result}"
        if self.chance(0.2):
            csv[f"{name}.csv"] = "".join(
                ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n"
                for row in [heads, *rows]
            )
            return f'{head} from "{name}.csv"\n'
        return (
            head + " {\n" + "".join(f"  | {' | '.join(row)} |\n" for row in [heads, *rows]) + "}\n"
        )

    def cell(self, column: Column) -> str:
        match column.kind:
            case "number" | "duration":
                low, high = sorted(self.rng.randint(column.lo, column.hi) for _ in range(2))
                lo, hi = self.steps(column, low), self.steps(column, high)
                choices = [
                    f">= {lo}",
                    f"< {hi}",
                    f"!= {lo}",
                    hi,
                    f">= {lo} and < {hi}",
                    f"not {lo}",
                ]
                if low != high:
                    choices.append(f"{lo.split()[0]}..{hi}")
            case "enum":
                many = ", ".join(self.some(column.members))
                choices = [
                    self.pick(column.members),
                    f"{{{many}}}",
                    f"not {self.pick(column.members)}",
                ]
            case "set":
                many = ", ".join(self.some(column.members))
                choices = [
                    f"contains any {{{many}}}",
                    f"contains all {{{many}}}",
                    f"contains {self.pick(column.members)}",
                ]
            case "bool":
                choices = ["true", "false", "not true"]
            case "path":
                choices = [quoted(self.pick(PATHS)), 'under "src/"', 'like "src/*"']
            case "key":
                choices = [quoted(self.pick(TEXTS)), f"!= {quoted(self.pick(TEXTS))}"]
            case _:
                choices = [
                    quoted(self.pick(TEXTS)),
                    'like "infra.*"',
                    f"!= {quoted(self.pick(TEXTS))}",
                ]
        return self.pick(["_", *choices])

    def rules(self, csv: dict[str, str], combine: str) -> str:
        """Rules in tiers and outside, written from below so that overrides can point down."""
        tiers = self.some(["safety", "business"], 0)
        blocks: list[str] = []
        below: list[str] = []
        for tier in [None, *reversed(tiers)]:
            inner = []
            for i in range(self.rng.randint(0 if tier else 1, 4)):
                name = f"{tier or 'free'}_{i}"
                if self.chance(0.25):
                    inner.append(self.table(name, csv))
                else:
                    inner.append(self.rule(name, [] if combine == "first_match" else below))
                below.append(name)
            text = "".join(inner)
            if tier is not None:
                when = f" when {self.condition(1, frozenset())}" if self.chance(0.3) else ""
                text = f"tier {tier}{when} {{\n{text}}}\n"
            blocks.append(text)
        head = f"tiers {', '.join(tiers)}\n" if tiers else ""
        return head + "".join(reversed(blocks))

    def claims(self) -> str:
        lines = [f"assume {self.condition(1, frozenset())}"] if self.chance(0.2) else []
        lines += [
            f"invariant inv_{i}: {self.condition(2, frozenset())}"
            for i in range(self.rng.randint(0, 1))
        ]
        self.in_proof = True
        lines += [
            f"prove claim_{i}: {self.condition(2, frozenset())}"
            for i in range(self.rng.randint(0, 2))
        ]
        self.in_proof = False
        return "".join(line + "\n" for line in lines)


def write_policy(rng: Random) -> Written:
    """A random policy."""
    writer = Writer(rng)
    combine = rng.choice(["strict", "most_restrictive", "first_match", "unique"])
    files: dict[str, str] = {}
    head = HEADER + rng.choice([f"combine {combine}\n"])
    head += rng.choice(["default allow\n", "default deny\n", "default none\n", ""])
    if rng.random() < 0.2:
        writer.zoned = True
        head += 'time zone "Europe/Berlin"\n'
    fields = writer.fields()
    declared = writer.declared()
    lets = writer.lets()
    rules = writer.rules(files, combine)
    claims = writer.claims()
    if rng.random() < 0.15:
        files["part.gov"] = fields + lets
        fields, lets = 'import "part.gov"\n', ""
    parts = [fields, declared, lets, rules, claims]
    return Written(head + "".join(parts), files, writer.columns, writer.params, writer.zoned)


def policies() -> st.SearchStrategy[Written]:
    """Random policies that Hypothesis can shrink."""
    return st.builds(write_policy, st.randoms(use_true_random=False))
