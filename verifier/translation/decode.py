"""Read a table back: every section of its bytes as what the format document says it means.

In: bytes that the engine has loaded, so every index in them is sound.  Out: `Decoded`: a policy
without conditions (its schema and the records of its rules), columns, automata, programs, entries
and nodes.

A program stands in the decoded policy as `ParamValue("#7")`, program 7, wherever the IR has an
integer expression.  Written from `native/gov_table.h`; shares only its constants with the emitter.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from govlang.compiler import ir
from govlang.native import layout, words
from govlang.native.layout import NONE, RECORDS, ArgKind, ColumnKind, FieldKind, Flag, Section

Row = Mapping[str, int]

_KINDS: Final = {FieldKind[kind.name]: kind for kind in ir.Kind}
_COMBINES: Final = {layout.Combine[one.name]: one for one in ir.Combine}
_DEFAULTS: Final = {layout.Fallback[one.name]: one for one in ir.Default}
_ORIGINS: Final = {one: ir.Origin[one.name] for one in layout.Origin}
_ROUNDINGS: Final = {layout.Rounding[one.name]: one for one in ir.Rounding}
_RULE_KINDS: Final = {layout.RuleKind[one.name]: one for one in ir.RuleKind}
_EFFECTS: Final = {layout.Effect[one.name]: one for one in ir.Effect}

PROGRAM: Final = "#"
"""How the name of a `ParamValue` begins that stands for a program."""


@dataclass(frozen=True, slots=True)
class Column:
    """What the words of a column are; `source` and `other` are input fields (or a parameter)."""

    kind: ColumnKind
    source: int
    other: int
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Automaton:
    """The automaton of a text field for one class column."""

    field: int
    column: int
    symbol: tuple[int, ...]
    next: tuple[int, ...]
    shift: int
    classes: tuple[int, ...]

    def class_of(self, text: bytes) -> int:
        """The class of a text."""
        state = 0
        for byte in text:
            state = self.next[state << self.shift | self.symbol[byte]]
        return self.classes[state]


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule and the effect it has when this entry fires."""

    rule: int
    effect: ir.Effect


class Decoded:
    """The readable meaning of a table."""

    def __init__(self, data: bytes) -> None:
        self._sections = {section: layout.section_bytes(data, section) for section in Section}
        self._head = self.rows(Section.POLICY)[0]

    def rows(self, section: Section) -> list[Row]:
        """All records of a section."""
        record, data = RECORDS[section], self._sections[section]
        return [
            dict(zip(record.names, values, strict=True))
            for values in record.format.iter_unpack(data)
        ]

    def words(self, section: Section, code: str) -> tuple[int, ...]:
        """A section of plain numbers."""
        data = self._sections[section]
        return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Every string."""
        data = self._sections[Section.BYTES]
        spans = [(row["offset"], row["length"]) for row in self.rows(Section.STRINGS)]
        return tuple(data[at : at + length].decode() for at, length in spans)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The members of all enumerations and sets."""
        return tuple(self.strings[row["string"]] for row in self.rows(Section.MEMBERS))

    @property
    def snapshot(self) -> str:
        """The name of the meaning that this table claims to have."""
        return self.strings[self._head["snapshot"]]

    @property
    def approved_column(self) -> int | None:
        """The column of the roles that approved."""
        return None if self._head["approved"] == NONE else self._head["approved"]

    @cached_property
    def field_rows(self) -> list[Row]:
        """The records of all fields."""
        return self.rows(Section.FIELDS)

    @cached_property
    def fields(self) -> tuple[ir.Field, ...]:
        """Inputs, outputs, parameters, arguments."""
        return tuple(self._field(row) for row in self.field_rows)

    def _field(self, row: Row) -> ir.Field:
        kind, flags = _KINDS[FieldKind(row["kind"])], Flag(row["flags"])
        unsigned = words.MASK64 if kind is ir.Kind.SET else -1
        first = row["first_member"]
        return ir.Field(
            self.strings[row["name"]],
            kind,
            row["lo"],
            row["hi"] & unsigned,
            row["step_num"],
            row["step_den"],
            self.strings[row["unit"]],
            self.members[first : first + row["members"]],
            row["max_bytes"],
            Flag.OPTIONAL in flags,
            Flag.PRIVATE in flags,
            _ORIGINS[layout.Origin(row["origin"])],
            _ROUNDINGS[layout.Rounding(row["rounding"])],
            row["implied"] & unsigned if Flag.IMPLIED in flags else None,
        )

    @cached_property
    def policy(self) -> ir.Policy:
        """Schema and rules; conditions are `FALSE`, expressions are programs."""
        head, inputs = self._head, self._head["inputs"]
        outputs = inputs + head["outputs"]
        zone = head["time_zone"]
        return ir.Policy(
            self.strings[head["name"]],
            self.strings[head["version"]],
            head["language"],
            _COMBINES[layout.Combine(head["combine"])],
            _DEFAULTS[layout.Fallback(head["fallback"])],
            self.fields[:inputs],
            self._rules(inputs),
            self.fields[inputs:outputs],
            self._actions,
            self._params,
            tuple(
                ir.Assumption(self.strings[row["text"]], ir.FALSE)
                for row in self.rows(Section.ASSUMPTIONS)
            ),
            time_zone=None if zone == NONE else self.strings[zone],
        )

    @cached_property
    def role_masks(self) -> tuple[int, ...]:
        """The roles that each rule asks for, as a mask."""
        return tuple(row["roles"] for row in self.rows(Section.RULES))

    @cached_property
    def assumption_programs(self) -> tuple[int, ...]:
        """The program of each assumption."""
        return tuple(row["program"] for row in self.rows(Section.ASSUMPTIONS))

    @cached_property
    def _actions(self) -> tuple[ir.Action, ...]:
        return tuple(
            ir.Action(
                self.strings[row["name"]],
                self.fields[row["first_field"] : row["first_field"] + row["fields"]],
            )
            for row in self.rows(Section.ACTIONS)
        )

    @cached_property
    def _params(self) -> tuple[ir.Param, ...]:
        return tuple(
            ir.Param(self.fields[row["field"]], row["value"]) for row in self.rows(Section.PARAMS)
        )

    # --- rules -----------------------------------------------------------------------------------

    def _rules(self, inputs: int) -> tuple[ir.Rule, ...]:
        rows = self.rows(Section.RULES)
        ids = [self.strings[row["id"]] for row in rows]
        roles = self._role_names(inputs)
        limits, dos = self._limits, self._dos
        remedies = self._remedies
        overrides = [row["rule"] for row in self.rows(Section.OVERRIDES)]
        found = []
        for row, rule_id in zip(rows, ids, strict=True):
            over = range(row["first_override"], row["first_override"] + row["overrides"])
            found.append(
                ir.Rule(
                    rule_id,
                    ir.FALSE,
                    _EFFECTS[layout.Effect(row["effect"])],
                    0,
                    _RULE_KINDS[layout.RuleKind(row["kind"])],
                    limits[row["first_limit"] : row["first_limit"] + row["limits"]],
                    dos[row["first_do"] : row["first_do"] + row["dos"]],
                    tuple(role for bit, role in enumerate(roles) if row["roles"] >> bit & 1),
                    None if row["expires_ms"] < 0 else row["expires_ms"],
                    None if row["retry_ms"] < 0 else row["retry_ms"],
                    self.strings[row["because"]],
                    None if row["remedy"] == NONE else remedies[row["remedy"]],
                    tuple(ids[overrides[i]] for i in over),
                )
            )
        return tuple(found)

    def _role_names(self, inputs: int) -> tuple[str, ...]:
        column = self.approved_column
        owners = (
            f
            for f, row in zip(self.fields[:inputs], self.field_rows, strict=False)
            if row["column"] == column
        )
        return next((field.members for field in owners if column is not None), ())

    @cached_property
    def _limits(self) -> tuple[ir.Limit, ...]:
        return tuple(
            ir.Limit(self.fields[row["target"]].name, _program(row["lo"]), _program(row["hi"]))
            for row in self.rows(Section.LIMITS)
        )

    @cached_property
    def limit_targets(self) -> tuple[int, ...]:
        """The field of each limit, by number: an output may have the name of an input."""
        return tuple(row["target"] for row in self.rows(Section.LIMITS))

    @cached_property
    def _args(self) -> tuple[tuple[str, ir.ArgValue], ...]:
        return tuple(
            (self.fields[row["field"]].name, self._arg(row)) for row in self.rows(Section.ARGS)
        )

    def _arg(self, row: Row) -> ir.ArgValue:
        match ArgKind(row["kind"]):
            case ArgKind.PROGRAM:
                return _program(row["value"])
            case ArgKind.STRING:
                return ir.TextConst(self.strings[row["value"]])
            case ArgKind.FIELD:
                return ir.TextField(self.fields[row["value"]].name)

    @cached_property
    def _dos(self) -> tuple[ir.Do, ...]:
        return tuple(
            ir.Do(
                self._actions[row["action"]].name,
                tuple(value for _, value in self._args[row["first_arg"] :][: row["args"]]),
                None if row["for_ms"] < 0 else row["for_ms"],
            )
            for row in self.rows(Section.DOS)
        )

    @cached_property
    def _remedies(self) -> tuple[ir.Remedy, ...]:
        return tuple(
            ir.Remedy(
                self.strings[row["text"]],
                self._args[row["first_arg"] : row["first_arg"] + row["args"]],
            )
            for row in self.rows(Section.REMEDIES)
        )

    # --- what decides ----------------------------------------------------------------------------

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a request, parameters last."""
        return tuple(
            Column(ColumnKind(row["kind"]), row["source"], row["other"], row["lo"], row["hi"])
            for row in self.rows(Section.COLUMNS)
        )

    @cached_property
    def automata(self) -> tuple[Automaton, ...]:
        """The automata of the text fields."""
        cells = self.words(Section.STATES, "H")
        found = []
        for row in self.rows(Section.CLASSIFIERS):
            at, states, shift = row["first"], row["states"], row["shift"]
            end = at + 256 + (states << shift)
            found.append(
                Automaton(
                    row["field"],
                    row["column"],
                    cells[at : at + 256],
                    cells[at + 256 : end],
                    shift,
                    cells[end : end + states],
                )
            )
        return tuple(found)

    @cached_property
    def programs(self) -> tuple[tuple[int, ...], ...]:
        """The words of each program."""
        code = self.words(Section.CODE, "Q")
        spans = [(row["first"], row["words"]) for row in self.rows(Section.PROGRAMS)]
        return tuple(code[first : first + words] for first, words in spans)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, best rank first."""
        return tuple(
            Entry(row["rule"], _EFFECTS[layout.Effect(row["effect"])])
            for row in self.rows(Section.ENTRIES)
        )

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """The words of the nodes."""
        return self.words(Section.NODES, "Q")


def _program(number: int) -> ir.ParamValue:
    return ir.ParamValue(f"{PROGRAM}{number}")


def program_number(expr: object) -> int | None:
    """The program that an expression of a decoded policy stands for."""
    if isinstance(expr, ir.ParamValue) and expr.name.startswith(PROGRAM):
        return int(expr.name.removeprefix(PROGRAM))
    return None
