"""What a compiled table says of a policy: fields, parameters, actions, rules.

In: the bytes of a table that the engine has loaded, so every index in them is sound.  Out: frozen
records.  `Field` has what `request.Column` asks for; rules are read one by one, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from govlang.native import layout, words
from govlang.native.layout import NONE, RECORDS, ArgKind, FieldKind, Flag, Section
from govlang.native.memory import Memory, read_memory
from govlang.native.request import Declared

Row = Mapping[str, int]

_ORIGINS: Final = ("request", "runtime", "clock")
_ROUNDINGS: Final = ("exact", "up", "down", "nearest")
_COMBINES: Final = ("strict", "most_restrictive", "first_match", "unique")
_FALLBACKS: Final = ("allow", "deny", "none")


@dataclass(frozen=True, slots=True)
class Field(Declared):
    """A field, and where the table keeps it."""

    private: bool
    column: int | None
    has_column: int | None
    classifiers: range


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter, with its value where the deployment gives none, in steps."""

    field: Field
    value: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A range for a target: the numbers of two programs."""

    target: int
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Arg:
    """A value for `field`: a program, a constant text, or the text of another field."""

    field: Field
    program: int | None = None
    text: str | None = None
    source: int | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """An action with its arguments, for a time if `for_ms` is given."""

    action: str
    args: tuple[Arg, ...]
    for_ms: int | None


@dataclass(frozen=True, slots=True)
class Remedy:
    """What the caller may do instead."""

    text: str
    values: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as the table records it; its condition lies in the nodes."""

    id: str
    because: str
    effect: int
    limits: tuple[Limit, ...]
    dos: tuple[Do, ...]
    roles: int
    expires_ms: int | None
    retry_ms: int | None
    remedy: Remedy | None


class Schema:
    """The readable side of a table."""

    def __init__(self, data: bytes) -> None:
        self._sections = {section: layout.section_bytes(data, section) for section in Section}
        self._policy = self._row(Section.POLICY, 0)
        self._rules: dict[int, Rule] = {}

    def _row(self, section: Section, index: int) -> Row:
        record = RECORDS[section]
        return record.unpack(self._sections[section], index * record.size)

    def rows(self, section: Section) -> list[Row]:
        """The records of a section."""
        return [self._row(section, i) for i in range(self.count(section))]

    def count(self, section: Section) -> int:
        """How many records a section has."""
        return len(self._sections[section]) // RECORDS[section].size

    def string(self, index: int) -> str:
        """A string of the table."""
        row = self._row(Section.STRINGS, index)
        data = self._sections[Section.BYTES]
        return data[row["offset"] : row["offset"] + row["length"]].decode()

    @property
    def name(self) -> str:
        return self.string(self._policy["name"])

    @property
    def version(self) -> str:
        return self.string(self._policy["version"])

    @property
    def snapshot(self) -> str:
        return self.string(self._policy["snapshot"])

    @property
    def time_zone(self) -> str | None:
        return None if self._policy["time_zone"] == NONE else self.string(self._policy["time_zone"])

    @property
    def combine(self) -> str:
        return _COMBINES[self._policy["combine"]]

    @property
    def default(self) -> str:
        return _FALLBACKS[self._policy["fallback"]]

    @property
    def request_columns(self) -> int:
        """How many columns a request fills."""
        return self._policy["request_columns"]

    @cached_property
    def memory(self) -> Memory | None:
        """What the policy remembers; None if it is over single requests."""
        return read_memory(self)

    @property
    def approved(self) -> int | None:
        """The column of the roles that approved."""
        return None if self._policy["approved"] == NONE else self._policy["approved"]

    @cached_property
    def all_fields(self) -> tuple[Field, ...]:
        """Inputs, outputs, parameters, arguments of actions."""
        return tuple(self._field(i) for i in range(self.count(Section.FIELDS)))

    @cached_property
    def inputs(self) -> tuple[Field, ...]:
        """The fields of a request, in order of declaration."""
        return self.all_fields[: self._policy["inputs"]]

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """The parameters, in order of declaration."""
        rows = (self._row(Section.PARAMS, i) for i in range(self.count(Section.PARAMS)))
        return tuple(Param(self.all_fields[row["field"]], row["value"]) for row in rows)

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """The members of `approved`."""
        return next((f.members for f in self.inputs if f.column == self.approved), ())

    @cached_property
    def rule_count(self) -> int:
        """How many rules there are."""
        return self.count(Section.RULES)

    def _field(self, index: int) -> Field:
        row = self._row(Section.FIELDS, index)
        flags = Flag(row["flags"])
        kind = FieldKind(row["kind"]).name.lower()
        first, members = row["first_member"], row["members"]
        strings = (self._row(Section.MEMBERS, i)["string"] for i in range(first, first + members))
        return Field(
            name=self.string(row["name"]),
            kind=kind,
            lo=row["lo"],
            hi=row["hi"] & words.MASK64 if kind == "set" else row["hi"],
            step_num=row["step_num"],
            step_den=row["step_den"],
            unit=self.string(row["unit"]),
            members=tuple(self.string(i) for i in strings),
            max_bytes=row["max_bytes"],
            optional=Flag.OPTIONAL in flags,
            private=Flag.PRIVATE in flags,
            origin=_ORIGINS[row["origin"]],
            rounding=_ROUNDINGS[row["rounding"]],
            implied=row["implied"] if Flag.IMPLIED in flags else None,
            column=None if row["column"] == NONE else row["column"],
            has_column=None if row["has_column"] == NONE else row["has_column"],
            classifiers=range(
                row["first_classifier"], row["first_classifier"] + row["classifiers"]
            ),
        )

    def assumption(self, index: int) -> str:
        """The text of an assumption."""
        return self.string(self._row(Section.ASSUMPTIONS, index)["text"])

    def rule(self, index: int) -> Rule:
        """One rule; it is read once, since every outcome asks for those that fired."""
        found = self._rules.get(index)
        if found is None:
            found = self._rules[index] = self._read_rule(index)
        return found

    def _read_rule(self, index: int) -> Rule:
        row = self._row(Section.RULES, index)
        limits = range(row["first_limit"], row["first_limit"] + row["limits"])
        dos = range(row["first_do"], row["first_do"] + row["dos"])
        return Rule(
            id=self.string(row["id"]),
            because=self.string(row["because"]),
            effect=row["effect"],
            limits=tuple(self._limit(i) for i in limits),
            dos=tuple(self._do(i) for i in dos),
            roles=row["roles"],
            expires_ms=None if row["expires_ms"] < 0 else row["expires_ms"],
            retry_ms=None if row["retry_ms"] < 0 else row["retry_ms"],
            remedy=None if row["remedy"] == NONE else self._remedy(row["remedy"]),
        )

    def _limit(self, index: int) -> Limit:
        row = self._row(Section.LIMITS, index)
        return Limit(row["target"], row["lo"], row["hi"])

    def _do(self, index: int) -> Do:
        row = self._row(Section.DOS, index)
        action = self.string(self._row(Section.ACTIONS, row["action"])["name"])
        for_ms = None if row["for_ms"] < 0 else row["for_ms"]
        return Do(action, self._args(row), for_ms)

    def _remedy(self, index: int) -> Remedy:
        row = self._row(Section.REMEDIES, index)
        return Remedy(self.string(row["text"]), self._args(row))

    def _args(self, row: Row) -> tuple[Arg, ...]:
        return tuple(self._arg(i) for i in range(row["first_arg"], row["first_arg"] + row["args"]))

    def _arg(self, index: int) -> Arg:
        row = self._row(Section.ARGS, index)
        field, value = self.all_fields[row["field"]], row["value"]
        match ArgKind(row["kind"]):
            case ArgKind.PROGRAM:
                return Arg(field, program=value)
            case ArgKind.STRING:
                return Arg(field, text=self.string(value))
            case ArgKind.FIELD:
                return Arg(field, source=value)
