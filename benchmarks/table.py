"""Our table, timed inside C: the engine's sources and a small driver in one library, requests encoded beforehand.

Goes in: the bytes of a table and a stream of requests. Comes out: nanoseconds a decision and the decisions.
What always holds: the words are filled from the table's own description of its columns; nothing is shared with the
encoder that the Python road uses, so equal decisions say something about both.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.limits import FLAGS, Array, Timed, address, rounds
from benchmarks.model import Request, Value
from govlang.native.layout import (
    RECORDS,
    ColumnKind,
    FieldKind,
    Section,
    section_bytes,
)

ROOT = Path(__file__).parents[1]
DRIVER = ROOT / "benchmarks" / "c" / "table_driver.c"
PLACE = np.dtype([("classifier", "u4"), ("column", "u4"), ("at", "u4"), ("len", "u4")])


def driver(optimise: str, source: Path = DRIVER, compiler: str = "gcc") -> ctypes.CDLL:
    """The engine and a driver, compiled like the limits."""
    engine = [
        str(path)
        for path in sorted((ROOT / "native").glob("gov_*.c"))
        if not {"Python.h", "gov_dict.h"} & set(re.split(r'[<>"]', path.read_text()))
    ]
    flags = [*FLAGS, *optimise.split(), "-I", str(ROOT / "native")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "driver.so")
        command = [compiler, *flags, str(source), *engine, "-o", str(path), "-lm"]
        subprocess.run(command, check=True)
        loaded = ctypes.CDLL(str(path))
    for name, result in RESULTS.items():
        if hasattr(loaded, name):  # one of the two drivers
            getattr(loaded, name).restype = result
    return loaded


RESULTS = {
    "gov_table_load": ctypes.c_void_p,
    "gov_table_columns": ctypes.c_uint32,
    "gov_table_scratch": ctypes.c_uint32,
    "gov_table_steps": ctypes.c_uint64,
    "gov_classify": ctypes.c_uint32,
    "time_struct_in": ctypes.c_double,
    "time_from_text": ctypes.c_double,
    "time_engine": ctypes.c_double,
    "time_by_hand": ctypes.c_double,
}


class Table:
    """A loaded table and what its columns mean."""

    def __init__(self, c: ctypes.CDLL, data: bytes) -> None:
        self._c = c
        why = ctypes.c_char_p()
        self._table = ctypes.c_void_p(
            c.gov_table_load(data, ctypes.c_size_t(len(data)), ctypes.byref(why))
        )
        if self._table.value is None:
            message = f"the table does not load: {why.value!r}"
            raise ValueError(message)
        self._data = data
        self._stride = int(c.gov_table_columns(self._table))
        self._scratch = np.zeros(int(c.gov_table_scratch(self._table)) + 1, dtype="u8")
        self._strings = [self._string(record) for record in self._records(Section.STRINGS)]
        self._members = [
            self._strings[record["string"]] for record in self._records(Section.MEMBERS)
        ]
        self._fields = list(self._records(Section.FIELDS))
        self._classifiers = list(self._records(Section.CLASSIFIERS))

    def struct_in(self, requests: Sequence[Request]) -> Timed:
        """Texts already classified."""
        words, n = self.words(requests), len(requests)
        run, stride = self._c.time_struct_in, ctypes.c_size_t(self._stride)
        scratch = address(self._scratch)
        return rounds(
            lambda out: float(
                run(self._table, address(words), stride, ctypes.c_size_t(n), scratch, address(out))
            ),
            n,
        )

    def from_text(self, requests: Sequence[Request]) -> Timed:
        """Texts classified on the way."""
        words, n = self.words(requests), len(requests)
        places, arena = self._places(requests)
        texts = ctypes.c_size_t(len(places) // n)
        run, stride, scratch = (
            self._c.time_from_text,
            ctypes.c_size_t(self._stride),
            address(self._scratch),
        )
        return rounds(
            lambda out: float(
                run(
                    self._table,
                    address(words),
                    stride,
                    address(places),
                    texts,
                    arena,
                    ctypes.c_size_t(n),
                    scratch,
                    address(out),
                )
            ),
            n,
        )

    def words(self, requests: Sequence[Request]) -> Array:
        """The requests as the table's own words, one row each."""
        empty = np.zeros(self._stride, dtype="i8")
        self._c.gov_words(self._table, address(empty))
        words = np.tile(empty, (len(requests), 1))
        for at, column in enumerate(self._records(Section.COLUMNS)):
            if column["kind"] in {ColumnKind.RANGE, ColumnKind.SET} and column["source"] < len(
                self._fields
            ):
                field = self._fields[column["source"]]
                name = self._strings[field["name"]]
                if requests and name in requests[0]:
                    words[:, at] = [self._word(field, request[name]) for request in requests]
        for at, record in enumerate(self._classifiers):
            name = self._strings[self._fields[record["field"]]["name"]]
            words[:, record["column"]] = [
                self._class(at, str(request[name])) for request in requests
            ]
        return np.ascontiguousarray(words)

    def _word(self, field: dict[str, int], value: Value) -> int:
        members = self._members[field["first_member"] : field["first_member"] + field["members"]]
        match value:
            case list():
                return sum(1 << members.index(member) for member in value)
            case str() if field["kind"] == FieldKind.ENUM:
                return members.index(value)
            case _:
                return int(value)

    def _class(self, classifier: int, value: str) -> int:
        raw = value.encode()
        return int(self._c.gov_classify(self._table, classifier, raw, ctypes.c_size_t(len(raw))))

    def _places(self, requests: Sequence[Request]) -> tuple[Array, bytes]:
        arena, rows = bytearray(), []
        for request in requests:
            for at, record in enumerate(self._classifiers):
                raw = str(request[self._strings[self._fields[record["field"]]["name"]]]).encode()
                rows.append((at, record["column"], len(arena), len(raw)))
                arena += raw
        return np.array(rows, dtype=PLACE), bytes(arena)

    def _records(self, section: Section) -> Iterator[dict[str, int]]:
        raw, record = section_bytes(self._data, section), RECORDS[section]
        return (dict(record.unpack(raw, at)) for at in range(0, len(raw), record.size))

    def _string(self, record: dict[str, int]) -> str:
        raw = section_bytes(self._data, Section.BYTES)
        return raw[record["offset"] : record["offset"] + record["length"]].decode()
