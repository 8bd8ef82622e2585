"""Mutants of bundles: one thing in one part changed, as a compiler's mistake would; all hashes are right.

In: the parts of a bundle.  Out: for a kind of change the parts that are other; nothing where the bundle
has no place for it.  What always holds: sources and core are untouched, and the manifest's hashes, the
table's checksum and the archive are those of the changed parts, so that only a proof can tell.
"""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import c_mutation
import rfc8785
from wasm_assembler import leb, module_of
from wasm_assembler import text as name_bytes
from wasm_mutation import Mutator, sections_of

from govlang.native.container import pack
from govlang.native.digest import digest
from govlang.native.layout import HEADER, SPAN, Section, checked
from govlang.verifier.translation.wasm_instructions import (
    CONSTANTS,
    EQZ,
    TESTS,
    Code,
    Instruction,
)

Parts = Mapping[str, bytes]
Changed = dict[str, bytes]
Change = Callable[[Parts, random.Random], Changed]


class NoPlaceError(Exception):
    """A bundle has nothing that this kind of change could be made to."""


def with_parts(parts: Parts) -> bytes:
    """The bundle of these parts, hashed as if they had been built so."""
    manifest = json.loads(parts["manifest.json"])
    for name, told in manifest["artefacts"].items():
        told["sha256"], told["bytes"] = digest(parts[name]), len(parts[name])
    return pack({**parts, "manifest.json": rfc8785.dumps(manifest)})


def some(rng: random.Random, found: Collection[Any]) -> Any:
    """One of them."""
    if not found:
        raise NoPlaceError
    return rng.choice([*found])


def other_number(rng: random.Random, value: int) -> int:
    """A number that is mistaken for another."""
    return rng.choice([n for n in (value + 1, value - 1, 0, 1, -value, value ^ 4) if n != value])


def leaf_changed(rng: random.Random, tree: Any, keys: Collection[str] = ()) -> Any:
    """JSON with another leaf: a number, a word, a truth; with `keys` only below those."""
    places = [way for way, _ in _leaves(tree) if not keys or set(way) & {*keys}]
    way = some(rng, places)
    return _with_leaf(tree, way, rng)


def _leaves(tree: Any, way: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    match tree:
        case dict():
            return [one for key in tree for one in _leaves(tree[key], (*way, key))]
        case list():
            return [one for i, part in enumerate(tree) for one in _leaves(part, (*way, i))]
        case None:
            return []
        case _:
            return [(way, tree)]


def _with_leaf(tree: Any, way: tuple[Any, ...], rng: random.Random) -> Any:
    if way:
        changed = tree.copy()
        changed[way[0]] = _with_leaf(tree[way[0]], way[1:], rng)
        return changed
    match tree:
        case bool():
            return not tree
        case int():
            return other_number(rng, tree)
        case _:
            return rng.choice((f"{tree}x", f"x{tree}", tree[1:] or "y"))


# --- WebAssembly ---------------------------------------------------------------------------------


def _instructions(
    codes: Collection[int],
    changed: Callable[[random.Random, Mutator, Instruction], list[Instruction]],
    *,
    scans: bool = False,
) -> Change:
    """A change of one instruction with one of these codes: in `decide`, or in the scans."""

    def change(parts: Parts, rng: random.Random) -> Changed:
        mutator = Mutator(parts["policy.wasm"], rng)
        functions = range(1, len(mutator.code)) if scans else range(1)
        number, place = some(
            rng,
            [
                (n, i)
                for n in functions
                for i, one in enumerate(mutator.code[n])
                if one.code in codes
            ],
        )
        code = list(mutator.code[number])
        code[place : place + 1] = changed(rng, mutator, code[place])
        return {"policy.wasm": mutator._module(number, code)}

    return change


def _other_constant(rng: random.Random, _: Mutator, one: Instruction) -> list[Instruction]:
    half = 1 << (CONSTANTS[one.code] - 1)
    value = other_number(rng, one.args[0])
    return [replace(one, args=(value if -half <= value < half else one.args[0] ^ 1,))]


def _other_test(rng: random.Random, _: Mutator, one: Instruction) -> list[Instruction]:
    alike = [c for c, (_, width) in TESTS.items() if width == TESTS[one.code][1] and c != one.code]
    return [replace(one, code=rng.choice(alike))]


def _negated(_: random.Random, __: Mutator, one: Instruction) -> list[Instruction]:
    return [Instruction(one.at, next(c for c, width in EQZ.items() if width == 32)), one]


def _dropped(_: random.Random, __: Mutator, one: Instruction) -> list[Instruction]:
    return [Instruction(one.at, Code.DROP)]


def _other_global(rng: random.Random, mutator: Mutator, one: Instruction) -> list[Instruction]:
    near = [one.args[0] + by for by in (-3, -2, -1, 1, 2, 3)]
    return [replace(one, args=(some(rng, [n for n in near if 0 <= n < mutator.globals]),))]


def wasm_automaton(parts: Parts, rng: random.Random) -> Changed:
    """Another byte in the tables of the scans."""
    sections = sections_of(parts["policy.wasm"])
    if 11 not in sections:
        raise NoPlaceError
    data = bytearray(sections[11])
    data[rng.randrange(16, len(data))] ^= 1 << rng.randrange(3)
    return {"policy.wasm": module_of({**sections, 11: bytes(data)})}


def wasm_exports(parts: Parts, rng: random.Random) -> Changed:
    """Two globals under each other's name."""
    sections = sections_of(parts["policy.wasm"])
    found = _exports(sections[7])
    first, second = (some(rng, [i for i, one in enumerate(found) if one[1] == 3]) for _ in "ab")
    (a, *rest_a), (b, *rest_b) = found[first], found[second]
    found[first], found[second] = (b, *rest_a), (a, *rest_b)
    content = leb(len(found)) + b"".join(
        name_bytes(name) + bytes([kind]) + leb(index) for name, kind, index in found
    )
    return {"policy.wasm": module_of({**sections, 7: content})}


def _exports(content: bytes) -> list[tuple[str, int, int]]:
    """Name, kind and index of the exports."""

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = content[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    at, found = 0, []
    for _ in range(number()):
        length = number()
        name, at = content[at : at + length].decode(), at + length
        kind, at = content[at], at + 1
        found.append((name, kind, number()))
    return found


def wasm_schema(parts: Parts, rng: random.Random) -> Changed:
    """Another leaf of `gov.schema`."""
    sections = sections_of(parts["policy.wasm"])
    tree = leaf_changed(rng, json.loads(sections["gov.schema"]))
    return {"policy.wasm": module_of({**sections, "gov.schema": rfc8785.dumps(tree)})}


# --- C -------------------------------------------------------------------------------------------

_ARRAY: Final = re.compile(r"(static const uint\d+_t \w+\[\d+\] = \{[^}]*\};)")


def _source(change: Callable[[random.Random, str], str]) -> Change:
    """A change in the code, which is apart from the tables of the scans."""

    def changed(parts: Parts, rng: random.Random) -> Changed:
        pieces = _ARRAY.split(parts["policy.c"].decode())
        place = max(range(0, len(pieces), 2), key=lambda i: len(pieces[i]))
        pieces[place] = change(rng, pieces[place])
        return {"policy.c": "".join(pieces).encode()}

    return changed


def c_automaton(parts: Parts, rng: random.Random) -> Changed:
    """Another number in a table of a scan."""
    pieces = _ARRAY.split(parts["policy.c"].decode())
    place = some(rng, range(1, len(pieces), 2))
    head, brace, numbers = pieces[place].partition("{")
    pieces[place] = head + brace + c_mutation.constant(rng, numbers)
    return {"policy.c": "".join(pieces).encode()}


def _header(pattern: str) -> Change:
    """A number of the header, by what stands before it."""

    def changed(parts: Parts, rng: random.Random) -> Changed:
        header = parts["policy.h"].decode()
        match = some(rng, [*re.finditer(pattern, header, re.MULTILINE)])
        value = other_number(rng, int(match[1], 0))
        return {
            "policy.h": (header[: match.start(1)] + str(value) + header[match.end(1) :]).encode()
        }

    return changed


def c_constant_names(parts: Parts, rng: random.Random) -> Changed:
    """Two constants of an `enum` under each other's name."""
    header = parts["policy.h"].decode()
    names = [*re.finditer(r"^    ([A-Z]\w+)(?= = \d+)", header, re.MULTILINE)]
    first = some(rng, range(len(names) - 1))
    (a, b), (c, d) = names[first].span(1), names[first + 1].span(1)
    return {
        "policy.h": "".join(
            (header[:a], header[c:d], header[b:c], header[a:b], header[d:])
        ).encode()
    }


def c_members(parts: Parts, rng: random.Random) -> Changed:
    """Two members of a struct in each other's place."""
    lines = parts["policy.h"].decode().split("\n")
    member = re.compile(r"    u?int\d+_t \w+")
    place = some(
        rng, [i for i, (a, b) in enumerate(pairwise(lines)) if member.match(a) and member.match(b)]
    )
    lines[place : place + 2] = lines[place + 1], lines[place]
    return {"policy.h": "\n".join(lines).encode()}


# --- the table -----------------------------------------------------------------------------------

_NAMES: Final = (Section.STRINGS, Section.MEMBERS)
_SCHEMA: Final = (
    *(Section.POLICY, Section.COLUMNS, Section.FIELDS, Section.PARAMS, Section.ACTIONS),
    *(Section.ASSUMPTIONS, Section.RULES, Section.LIMITS, Section.DOS, Section.ARGS),
    *(Section.REMEDIES, Section.OVERRIDES),
)
_CODE: Final = (Section.PROGRAMS, Section.CODE, Section.ORDER, Section.ENTRIES, Section.NODES)
_SCANS: Final = (Section.CLASSIFIERS, Section.STATES)


def _words(sections: Collection[Section]) -> Change:
    """Another word in one of these sections."""

    def changed(parts: Parts, rng: random.Random) -> Changed:
        data = parts["table.bin"]
        spans = [span for section in sections if len(span := _span(data, section)) >= 4]
        at = some(rng, some(rng, spans)[:-3:4])
        (word,) = struct.unpack_from("<I", data, at)
        others = {
            word ^ 1,
            word + 1 & 0xFFFFFFFF,
            word - 1 & 0xFFFFFFFF,
            word ^ 1 << rng.randrange(32),
        }
        other = some(rng, sorted(others - {word}))
        return {"table.bin": checked(data[:at] + struct.pack("<I", other) + data[at + 4 :])}

    return changed


def table_letters(parts: Parts, rng: random.Random) -> Changed:
    """Another letter in a name or a message."""
    data = bytearray(parts["table.bin"])
    at = some(
        rng, [at for at in _span(parts["table.bin"], Section.BYTES) if chr(data[at]).isalpha()]
    )
    data[at] ^= 1
    return {"table.bin": checked(bytes(data))}


def _span(data: bytes, section: Section) -> range:
    """The bytes of a section, up to where the next one begins."""
    starts = [SPAN.unpack_from(data, HEADER.size + SPAN.size * one)[0] for one in Section]
    later = [start for start in (*starts, len(data)) if start > starts[section]]
    empty = SPAN.unpack_from(data, HEADER.size + SPAN.size * section)[1] == 0
    return range(0) if empty else range(starts[section], min(later))


# --- the manifest --------------------------------------------------------------------------------


def _manifest(*keys: str) -> Change:
    """Another leaf of these members of the manifest."""

    def changed(parts: Parts, rng: random.Random) -> Changed:
        tree = json.loads(parts["manifest.json"])
        return {"manifest.json": rfc8785.dumps(leaf_changed(rng, tree, keys))}

    return changed


# --- all kinds -----------------------------------------------------------------------------------

KINDS: Final[Mapping[str, Change]] = {
    "wasm: a constant": _instructions({*CONSTANTS}, _other_constant),
    "wasm: a comparison": _instructions({*TESTS}, _other_test),
    "wasm: branches swapped": _instructions({Code.IF, Code.BR_IF, Code.SELECT}, _negated),
    "wasm: a check dropped": _instructions({Code.BR_IF}, _dropped),
    "wasm: a store dropped": _instructions({Code.GLOBAL_SET}, _dropped),
    "wasm: another global": _instructions({Code.GLOBAL_GET, Code.GLOBAL_SET}, _other_global),
    "wasm: a constant of a scan": _instructions({*CONSTANTS}, _other_constant, scans=True),
    "wasm: an automaton": wasm_automaton,
    "wasm: names of exports": wasm_exports,
    "wasm: gov.schema": wasm_schema,
    "C: a constant": _source(c_mutation.constant),
    "C: a sign": _source(c_mutation.sign),
    "C: branches swapped": _source(c_mutation.negated),
    "C: a statement dropped": _source(c_mutation.without),
    "C: another member": _source(c_mutation.member),
    "C: an automaton": c_automaton,
    "C: the value of a constant": _header(r"^    [A-Z]\w+ = (\d+)"),
    "C: names of constants": c_constant_names,
    "C: a comment": _header(r"^    \w.*/\*.*?(?<![\d.])([1-9]\d*)(?![\d.]).*\*/$"),
    "C: a first value": _header(r"^    -?(\d+)(?:, )?\\?$"),
    "C: the order of members": c_members,
    "table: a word of the code": _words(_CODE),
    "table: a word of a scan": _words(_SCANS),
    "table: a word of the schema": _words(_SCHEMA),
    "table: a name": _words(_NAMES),
    "table: a letter": table_letters,
    "manifest: the schema": _manifest("schema"),
    "manifest: the policy": _manifest("policy", "version", "snapshot", "language"),
}


def mutant(parts: Parts, kind: str, rng: random.Random) -> Changed:
    """The parts that a change of this kind makes other.

    Raises:
        NoPlaceError: the bundle has no place for it.
    """
    for _ in range(20):
        changed = KINDS[kind](parts, rng)
        if any(parts[name] != content for name, content in changed.items()):
            return changed
    raise NoPlaceError
