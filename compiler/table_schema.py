"""The schema of a table: columns, fields, parameters, actions, automata, strings.

In: a policy, the classes of its texts, and the axes that its decisions read.  Out: the sections of
`native/gov_table.h` that say what a request is, and which column holds what.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govlang.compiler import ir
from govlang.compiler.automata import Dfa
from govlang.compiler.boxes import Axis, AxisKind
from govlang.compiler.residual import TableTooLargeError
from govlang.compiler.text_classes import TextClasses
from govlang.native.layout import (
    COLUMNS_MAX,
    NONE,
    RECORDS,
    TIME_MAX,
    ColumnKind,
    Combine,
    Effect,
    Fallback,
    FieldKind,
    Flag,
    Origin,
    Rounding,
    Section,
)
from govlang.native.words import signed

KINDS: Final = {kind: FieldKind[kind.name] for kind in ir.Kind}
COMBINES: Final = {combine: Combine[combine.name] for combine in ir.Combine}
FALLBACKS: Final = {default: Fallback[default.name] for default in ir.Default}
ORIGINS: Final = {ir.Origin[origin.name]: origin for origin in Origin}
ROUNDINGS: Final = {rounding: Rounding[rounding.name] for rounding in ir.Rounding}


@dataclass(slots=True)
class Strings:
    """Texts by number, each stored once."""

    index: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """The number of a text."""
        return self.index.setdefault(text, len(self.index))

    def sections(self) -> dict[Section, bytes]:
        """`STRINGS` and `BYTES`."""
        texts = [text.encode() for text in self.index]
        spans, at = [], 0
        for text in texts:
            spans.append(RECORDS[Section.STRINGS].pack(offset=at, length=len(text)))
            at += len(text)
        return {Section.STRINGS: b"".join(spans), Section.BYTES: b"".join(texts)}


@dataclass(frozen=True, slots=True)
class Remembered:
    """A column of what is remembered: `source` is a cell, a `Says`, or the place among the fields of samples."""

    kind: ColumnKind
    source: int
    name: str
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Which word holds what: request columns first, then what is remembered, parameters behind them."""

    axes: tuple[Axis, ...]
    index: dict[Axis, int]
    params: dict[str, int]
    remembered: tuple[Remembered, ...] = ()


def lay_out_columns(policy: ir.Policy, used: Iterable[Axis]) -> Columns:
    """The columns of a policy: every field has its own, texts have what decisions read.

    Raises:
        TableTooLargeError: there are more than the format has room for.
    """
    read = set(used)
    axes: list[Axis] = []
    for one in policy.fields:
        if not one.is_text:
            axes.append(Axis(AxisKind.SET if one.kind is ir.Kind.SET else AxisKind.VALUE, one.name))
        if one.optional:
            axes.append(Axis(AxisKind.HAS, one.name))
        axes += sorted(a for a in read if a.kind is AxisKind.CLASS and a.name == one.name)
    axes += sorted(a for a in read if a.kind is AxisKind.EQUAL)
    remembered = tuple(_remembered(policy))
    own = len(axes) + len(remembered)
    if own + len(policy.params) > COLUMNS_MAX:
        raise TableTooLargeError(
            f"the policy needs {own + len(policy.params)} columns, must be at most {COLUMNS_MAX}"
        )
    index = {axis: i for i, axis in enumerate(axes)}
    kinds = {one.name: one.kind for one in policy.columns}
    for i, column in enumerate(remembered):
        is_set = kinds.get(column.name) is ir.Kind.SET
        index[Axis(AxisKind.SET if is_set else AxisKind.VALUE, column.name)] = len(axes) + i
    params = {p.field.name: own + i for i, p in enumerate(policy.params)}
    return Columns(tuple(axes), index, params, remembered)


def _remembered(policy: ir.Policy) -> Iterator[Remembered]:
    """What the engine says of a sample, the cells, and what samples carry."""
    if policy.time is None:
        return
    kinds = ir.FIRST_KIND + len(policy.time.samples) - 1
    says = ((ir.SAMPLE, kinds), (ir.GAP, TIME_MAX), (ir.CLOCK_FAULT, 1), ("", max(Effect)))
    for number, (name, hi) in enumerate(says):
        yield Remembered(ColumnKind.SAMPLE, number, name, 0, hi)
    for number, cell in enumerate(ordered_cells(policy.time)):
        yield Remembered(ColumnKind.CELL, number, cell.name, cell.field.lo, cell.field.hi)
    for number, one in enumerate(carried_fields(policy)):
        if not one.is_text:
            hi = signed(one.hi) if one.kind is ir.Kind.SET else one.hi
            yield Remembered(ColumnKind.CARRIED, number, one.name, one.lo, hi)


def scopes_of(time: ir.Time) -> tuple[str, ...]:
    """The scopes, the shared one first, in the order in which cells name them; the key's is always there."""
    named = (cell.scope for cell in time.cells)
    return tuple(dict.fromkeys((ir.SHARED, time.key or ir.SHARED, *named)))


def ordered_cells(time: ir.Time) -> tuple[ir.Cell, ...]:
    """The cells by scope, in each the largest first: the order of the table."""
    scopes = scopes_of(time)
    return tuple(sorted(time.cells, key=lambda cell: (scopes.index(cell.scope), -cell.bytes)))


def carried_fields(policy: ir.Policy) -> tuple[ir.Field, ...]:
    """What samples carry, one sample after the other, under the names of columns."""
    return tuple(f for one in policy.time.samples for f in one.fields) if policy.time else ()


@dataclass(frozen=True, slots=True)
class Schema:
    """The parts of a table that say what a request is."""

    policy: ir.Policy
    classes: Mapping[str, TextClasses]
    columns: Columns
    strings: Strings
    fields: tuple[ir.Field, ...]  # inputs, outputs, parameters, arguments of actions

    def input(self, name: str) -> int:
        """The number of an input field."""
        return next(i for i, f in enumerate(self.policy.fields) if f.name == name)

    def target(self, name: str) -> int:
        """The number of the field that a limit speaks of: an output first, then an input."""
        for i, one in enumerate(self.policy.outputs):
            if one.name == name:
                return len(self.policy.fields) + i
        return self.input(name)

    @property
    def first_argument(self) -> int:
        """The number of the first argument of the first action."""
        policy = self.policy
        return len(policy.fields) + len(policy.outputs) + len(policy.params)

    @property
    def first_carried(self) -> int:
        """The number of the first field of the first sample."""
        return len(self.fields) - len(carried_fields(self.policy))

    def sections(self, snapshot: str) -> dict[Section, bytes]:
        """Every section of the schema but the strings, which rules add to."""
        rows = {
            Section.POLICY: self._policy(snapshot),
            Section.COLUMNS: self._columns(),
            Section.FIELDS: self._fields(),
            Section.PARAMS: self._params(),
            Section.ACTIONS: self._actions(),
            Section.MEMBERS: self._members(),
        }
        packed = {
            section: b"".join(RECORDS[section].pack(**row) for row in found)
            for section, found in rows.items()
        }
        return packed | self._automata()

    def _policy(self, snapshot: str) -> Iterator[dict[str, int]]:
        policy, number = self.policy, self.strings.number
        yield {
            "name": number(policy.name),
            "version": number(policy.version),
            "snapshot": number(snapshot),
            "time_zone": NONE if policy.time_zone is None else number(policy.time_zone),
            "language": policy.language,
            "combine": COMBINES[policy.combine],
            "fallback": FALLBACKS[policy.default],
            "inputs": len(policy.fields),
            "outputs": len(policy.outputs),
            "params": len(policy.params),
            "arguments": self.first_carried - self.first_argument,
            "request_columns": len(self.columns.axes),
            "approved": self.columns.index.get(Axis(AxisKind.SET, ir.APPROVED), NONE),
            "remembered": len(self.columns.remembered),
            "carried": len(self.fields) - self.first_carried,
        }

    def _columns(self) -> Iterator[dict[str, int]]:
        for axis in self.columns.axes:
            one = self.policy.field(axis.name)
            lo, hi = 0, 1
            if axis.kind in (AxisKind.VALUE, AxisKind.SET):
                lo, hi = one.lo, signed(one.hi) if one.kind is ir.Kind.SET else one.hi
            elif axis.kind is AxisKind.CLASS:
                hi = self.classes[axis.name].columns[axis.part].classes - 1
            other = self.input(axis.other) if axis.kind is AxisKind.EQUAL else NONE
            yield {
                "kind": _COLUMN_KINDS[axis.kind],
                "source": self.input(axis.name),
                "other": other,
                "lo": lo,
                "hi": hi,
            }
        for cell in self.columns.remembered:
            first = self.first_carried if cell.kind is ColumnKind.CARRIED else 0
            yield {
                "kind": cell.kind,
                "source": first + cell.source,
                "other": NONE,
                "lo": cell.lo,
                "hi": cell.hi,
            }
        for i, param in enumerate(self.policy.params):
            one = param.field
            yield {"kind": ColumnKind.PARAM, "source": i, "other": NONE, "lo": one.lo, "hi": one.hi}

    def _fields(self) -> Iterator[dict[str, int]]:
        members, automata = 0, 0
        for i, one in enumerate(self.fields):
            is_input = i < len(self.policy.fields)
            is_carried = i >= self.first_carried
            own = len(self._class_axes(one.name)) if is_input and one.is_text else 0
            yield {
                **_plain_field(one, self.strings),
                "first_member": members if one.members else 0,
                "members": len(one.members),
                "column": self._column(one, AxisKind.VALUE) if is_input or is_carried else NONE,
                "has_column": self._column(one, AxisKind.HAS) if is_input else NONE,
                "first_classifier": automata if own else 0,
                "classifiers": own,
            }
            members += len(one.members)
            automata += own

    def _column(self, one: ir.Field, kind: AxisKind) -> int:
        if kind is AxisKind.VALUE and one.kind is ir.Kind.SET:
            kind = AxisKind.SET
        return self.columns.index.get(Axis(kind, one.name), NONE)

    def _class_axes(self, name: str) -> list[Axis]:
        return [a for a in self.columns.axes if a.kind is AxisKind.CLASS and a.name == name]

    def _params(self) -> Iterator[dict[str, int]]:
        first = len(self.policy.fields) + len(self.policy.outputs)
        for i, param in enumerate(self.policy.params):
            column = self.columns.params[param.field.name]
            yield {"field": first + i, "column": column, "value": param.default}

    def _actions(self) -> Iterator[dict[str, int]]:
        at = self.first_argument
        for action in self.policy.actions:
            count = len(action.parameters)
            name = self.strings.number(action.name)
            yield {"name": name, "first_field": at if count else 0, "fields": count}
            at += count

    def _members(self) -> Iterator[dict[str, int]]:
        for one in self.fields:
            yield from ({"string": self.strings.number(member)} for member in one.members)

    def _automata(self) -> dict[Section, bytes]:
        records, states, at = [], [], 0
        for number, one in enumerate(self.policy.fields):
            for axis in self._class_axes(one.name):
                dfa = self.classes[one.name].columns[axis.part].dfa
                shift, cells = automaton_cells(dfa)
                records.append(
                    RECORDS[Section.CLASSIFIERS].pack(
                        field=number,
                        column=self.columns.index[axis],
                        first=at,
                        states=len(dfa),
                        shift=shift,
                    )
                )
                states.append(struct.pack(f"<{len(cells)}H", *cells))
                at += len(cells)
        return {Section.CLASSIFIERS: b"".join(records), Section.STATES: b"".join(states)}


_COLUMN_KINDS: Final = {
    AxisKind.VALUE: ColumnKind.RANGE,
    AxisKind.SET: ColumnKind.SET,
    AxisKind.CLASS: ColumnKind.CLASS,
    AxisKind.HAS: ColumnKind.HAS,
    AxisKind.EQUAL: ColumnKind.EQUAL,
}


def schema_fields(policy: ir.Policy) -> tuple[ir.Field, ...]:
    """All fields in the order of the table."""
    arguments = [p for action in policy.actions for p in action.parameters]
    params = (p.field for p in policy.params)
    return (*policy.fields, *policy.outputs, *params, *arguments, *carried_fields(policy))


def written_name(one: ir.Field) -> str:
    """What hosts call a field; a column of a sample, `$deletion.size` or `$voltage`, by its last name."""
    return (
        one.name.rpartition(".")[2].removeprefix("$")
        if one.origin is ir.Origin.SAMPLE
        else one.name
    )


def _plain_field(one: ir.Field, strings: Strings) -> dict[str, int]:
    """The part of a field's record that says what its values are."""
    flags = Flag(0)
    flags |= Flag.OPTIONAL if one.optional else 0
    flags |= Flag.PRIVATE if one.private else 0
    flags |= Flag.IMPLIED if one.implied is not None else 0
    is_set = one.kind is ir.Kind.SET
    return {
        "name": strings.number(written_name(one)),
        "unit": strings.number(one.unit),
        "kind": KINDS[one.kind],
        "origin": ORIGINS.get(one.origin, Origin.REQUEST),
        "rounding": ROUNDINGS[one.rounding],
        "flags": flags,
        "max_bytes": one.max_bytes if one.is_text else 0,
        "lo": 0 if one.is_text else one.lo,
        "hi": 0 if one.is_text else signed(one.hi) if is_set else one.hi,
        "step_num": one.step_num,
        "step_den": one.step_den,
        "implied": signed(one.implied or 0) if is_set else one.implied or 0,
    }


def automaton_cells(dfa: Dfa) -> tuple[int, list[int]]:
    """The shift, and the u16 words of an automaton: symbols, next states, classes."""
    group_of, chosen = dfa.byte_groups()
    shift = (len(chosen) - 1).bit_length()
    pad = (1 << shift) - len(chosen)
    cells: list[int] = list(group_of)
    for default, edges in zip(dfa.default, dfa.edges, strict=True):
        own = dict(edges)
        cells += [own.get(byte, default) for byte in chosen]
        cells += [default] * pad
    return shift, cells + list(dfa.classes)


def used_axes(
    axes: Sequence[Axis], conditions: Iterable[ir.BoolExpr], classes: Mapping[str, TextClasses]
) -> set[Axis]:
    """The class and equality axes that boxes and programs read."""
    found = {axis for axis in axes if axis.kind in (AxisKind.CLASS, AxisKind.EQUAL)}
    for condition in conditions:
        for atom in ir.atoms(condition):
            if isinstance(atom, ir.TextEqual):
                found.add(Axis(AxisKind.EQUAL, atom.left, atom.right))
            elif isinstance(atom, ir.TextTest):
                accepting = classes[atom.name].accepting(atom.patterns)
                found |= {Axis(AxisKind.CLASS, atom.name, "", part) for part in accepting}
    return found
