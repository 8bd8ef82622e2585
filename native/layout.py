"""The byte format of table.bin in Python: the same constants and records as `gov_table.h`.

In: records as named tuples.  Out: bytes, and back.  Knows the format's sizes and nothing about
policies: who emits a table and who reads one share this file only.

What always holds: `gov_table.h` is the format's document; a test compares every constant, size and
offset of this file with the compiled header.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

MAGIC: Final = b"govtable"
VERSION_MAJOR: Final = 1
VERSION_MINOR: Final = 1
"""Of a policy that remembers; any other has 0 and no section behind NODES."""

NONE: Final = 0xFFFFFFFF

COLUMNS_MAX: Final = 4096
BLOCK_MAX: Final = 64
DEPTH_MAX: Final = 32
STACK_MAX: Final = 256
STEPS_MAX: Final = 1 << 24
HASH_BITS_MAX: Final = 24
PROBES_MAX: Final = 16
DFA_STATES_MAX: Final = 4096
LIMITS_MAX: Final = 64
TEXT_MAX: Final = 1 << 20

TIME_MAX: Final = 2**53 - 1
NEVER: Final = -(2**63)
UNKNOWN: Final = 2**63 - 1
STATE_HEAD: Final = 8
STAGE_MIN: Final = -10
CLOSE: Final = 40
REQUEST: Final = 0
TICK: Final = 1
FIRST_KIND: Final = 2

WORD: Final = 8


class Section(IntEnum):
    """The sections, in the order of the file."""

    POLICY = 0
    COLUMNS = 1
    FIELDS = 2
    PARAMS = 3
    ACTIONS = 4
    STRINGS = 5
    BYTES = 6
    MEMBERS = 7
    CLASSIFIERS = 8
    STATES = 9
    ASSUMPTIONS = 10
    PROGRAMS = 11
    CODE = 12
    RULES = 13
    LIMITS = 14
    DOS = 15
    ARGS = 16
    REMEDIES = 17
    OVERRIDES = 18
    ORDER = 19
    ENTRIES = 20
    NODES = 21
    MEMORY = 22
    SCOPES = 23
    CELLS = 24
    SAMPLES = 25
    UPDATES = 26
    POINTS = 27


PLAIN_SECTIONS: Final = int(Section.MEMORY)
"""Sections of a table that does not remember."""


class Effect(IntEnum):
    """What an entry, a rule or an outcome does."""

    ALLOW = 0
    LIMIT = 1
    THROTTLE = 2
    REQUIRE_HUMAN = 3
    DENY = 4


class Combine(IntEnum):
    """How several standing rules become one outcome."""

    STRICT = 0
    MOST_RESTRICTIVE = 1
    FIRST_MATCH = 2
    UNIQUE = 3


class Fallback(IntEnum):
    """What holds where no rule permits."""

    ALLOW = 0
    DENY = 1
    NONE = 2


class ColumnKind(IntEnum):
    """What the words of a column are."""

    RANGE = 0
    SET = 1
    CLASS = 2
    HAS = 3
    EQUAL = 4
    PARAM = 5
    CELL = 6
    SAMPLE = 7
    CARRIED = 8


class Says(IntEnum):
    """What the engine says of a sample: the first columns of what is remembered."""

    KIND = 0
    GAP = 1
    FAULT = 2
    DECISION = 3


class FieldKind(IntEnum):
    """The type of a field."""

    NUMBER = 0
    ENUM = 1
    SET = 2
    BOOL = 3
    TIME = 4
    DURATION = 5
    TEXT = 6
    PATH = 7
    KEY = 8


class Origin(IntEnum):
    """Who sets a field."""

    REQUEST = 0
    RUNTIME = 1
    CLOCK = 2


class Rounding(IntEnum):
    """What becomes of a number between two steps."""

    EXACT = 0
    UP = 1
    DOWN = 2
    NEAREST = 3


class Flag(IntFlag):
    """Bits of `flags` of a field."""

    OPTIONAL = 1
    PRIVATE = 2
    IMPLIED = 4


class RuleKind(IntEnum):
    """Where a rule comes from."""

    RULE = 0
    ROW = 1
    GUARD = 2


class MemoryFlag(IntFlag):
    """Bits of `flags` of the memory."""

    READS_FAULT = 1
    GAP_WHOLE = 2


class CellFlag(IntFlag):
    """Bits of `flags` of a cell."""

    BRIEF = 1
    GROWS = 2
    FRESHNESS = 4
    WHOLE = 8


class SampleFlag(IntFlag):
    """Bits of `flags` of an event or a signal."""

    IS_SIGNAL = 1
    IS_SHARED = 2


class ArgKind(IntEnum):
    """What `value` of an argument is: a program, a string, or a text field."""

    PROGRAM = 0
    STRING = 1
    FIELD = 2


@dataclass(frozen=True, slots=True)
class Record:
    """A record of fixed size: its names and their codes in the `struct` module; `_` is reserved."""

    names: tuple[str, ...]
    format: struct.Struct

    @property
    def size(self) -> int:
        """Bytes."""
        return self.format.size

    def pack(self, **values: int) -> bytes:
        """The bytes of one record; every name must be given, the reserved ones are 0."""
        if values.keys() != set(self.names):
            raise ValueError(f"expected {self.names}, found {tuple(values)}")
        return self.format.pack(*(values[name] for name in self.names))

    def unpack(self, data: bytes, offset: int = 0) -> Mapping[str, int]:
        """One record by its names."""
        return dict(zip(self.names, self.format.unpack_from(data, offset), strict=True))

    def offsets(self) -> dict[str, int]:
        """Where each name begins."""
        codes = _codes(self.format.format)
        starts = {}
        named = iter(self.names)
        for i, code in enumerate(codes):
            if not code.endswith("x"):
                starts[next(named)] = struct.calcsize("<" + "".join(codes[:i]))
        return starts


def _codes(form: str) -> list[str]:
    codes, count = [], ""
    for char in form.removeprefix("<"):
        if char.isdigit():
            count += char
        else:
            codes.append(count + char)
            count = ""
    return codes


def _record(text: str) -> Record:
    """A record from `name:code …`; the name `_` is padding."""
    pairs = [part.split(":") for part in text.split()]
    names = tuple(name for name, _ in pairs if name != "_")
    return Record(names, struct.Struct("<" + "".join(code for _, code in pairs)))


HEADER: Final = struct.Struct("<8sHHIQ")
SPAN: Final = struct.Struct("<II")
HEADER_SIZE: Final = HEADER.size + SPAN.size * PLAIN_SECTIONS
"""Of a table that does not remember; the header of one that does has all sections."""

CHECKED_FROM: Final = 16
"""The checksum covers the bytes from here to the end."""

RECORDS: Final[Mapping[Section, Record]] = {
    Section.POLICY: _record(
        "name:I version:I snapshot:I time_zone:I language:I combine:B fallback:B _:2x inputs:I "
        "outputs:I params:I arguments:I request_columns:I approved:I remembered:I carried:I _:8x"
    ),
    Section.COLUMNS: _record("kind:B _:7x source:I other:I lo:q hi:q"),
    Section.FIELDS: _record(
        "name:I unit:I kind:B origin:B rounding:B flags:B max_bytes:I lo:q hi:q step_num:q "
        "step_den:q implied:q first_member:I members:I column:I has_column:I "
        "first_classifier:I classifiers:I"
    ),
    Section.PARAMS: _record("field:I column:I value:q"),
    Section.ACTIONS: _record("name:I first_field:I fields:I _:4x"),
    Section.STRINGS: _record("offset:I length:I"),
    Section.BYTES: _record("byte:B"),
    Section.MEMBERS: _record("string:I"),
    Section.CLASSIFIERS: _record("field:I column:I first:I states:I shift:I _:4x"),
    Section.STATES: _record("value:H"),
    Section.ASSUMPTIONS: _record("text:I program:I"),
    Section.PROGRAMS: _record("first:I words:I"),
    Section.CODE: _record("word:Q"),
    Section.RULES: _record(
        "id:I because:I effect:B kind:B _:2x remedy:I first_limit:I limits:I first_do:I dos:I "
        "first_override:I overrides:I roles:Q expires_ms:q retry_ms:q"
    ),
    Section.LIMITS: _record("target:I lo:I hi:I _:4x"),
    Section.DOS: _record("action:I first_arg:I args:I _:4x for_ms:q"),
    Section.ARGS: _record("field:I kind:I value:I _:4x"),
    Section.REMEDIES: _record("text:I first_arg:I args:I _:4x"),
    Section.OVERRIDES: _record("rule:I"),
    Section.ORDER: _record("rule:I"),
    Section.ENTRIES: _record("rule:I effect:B _:3x"),
    Section.NODES: _record("word:Q"),
    Section.MEMORY: _record("key:I flags:I longest_ms:q gap_points:I _:4x"),
    Section.SCOPES: _record("field:I first_cell:I cells:I bytes:I"),
    Section.CELLS: _record(
        "name:I scope:I offset:I bytes:B flags:B _:2x initial:q cap:q definition:Q first_point:I "
        "points:I"
    ),
    Section.SAMPLES: _record("name:I flags:I first_field:I fields:I permit:I _:4x"),
    Section.UPDATES: _record("stage:i cell:I kind:I condition:I value:I _:4x"),
    Section.POINTS: _record("value:q"),
}


def padded(size: int) -> int:
    """`size` rounded up to whole words."""
    return -(-size // WORD) * WORD


def assemble(sections: Mapping[Section, bytes]) -> bytes:
    """The file: header, sections, checksum.

    `sections` gives the bytes of each section, whole records one after another; a missing section
    is empty.  The sections of what is remembered, and the minor version that has them, are there if there is a MEMORY.
    """
    remembers = bool(sections.get(Section.MEMORY))
    present = list(Section)[: None if remembers else PLAIN_SECTIONS]
    spans, body, at = [], [], HEADER.size + SPAN.size * len(present)
    for section in present:
        data = sections.get(section, b"")
        count, torn = divmod(len(data), RECORDS[section].size)
        if torn:
            raise ValueError(f"section {section.name} ends inside a record")
        spans.append(SPAN.pack(at // WORD, count))
        body.append(data + bytes(padded(len(data)) - len(data)))
        at += len(body[-1])
    minor = VERSION_MINOR if remembers else 0
    return checked(HEADER.pack(MAGIC, VERSION_MAJOR, minor, 0, at) + b"".join(spans + body))


def checked(data: bytes) -> bytes:
    """The same bytes with the checksum they should have."""
    crc = zlib.crc32(data[CHECKED_FROM:])
    return data[:12] + crc.to_bytes(4, "little") + data[CHECKED_FROM:]


def version_of(data: bytes) -> tuple[int, int]:
    """The version of the format of a file, major and minor."""
    _, major, minor, _, _ = HEADER.unpack_from(data)
    return major, minor


def section_bytes(data: bytes, section: Section) -> bytes:
    """The records of one section of a file that has passed `gov_table_load`; none if it has no such section."""
    if section >= PLAIN_SECTIONS and not version_of(data)[1]:
        return b""
    first, count = SPAN.unpack_from(data, HEADER.size + SPAN.size * section)
    start = first * WORD
    return data[start : start + count * RECORDS[section].size]
