"""Tiles (C2SP tlog-tiles): hashes and entries in, static files out, and proofs from these files alone.

`tile/<L>/<N>` holds the 256 roots of the complete subtrees of 256^L entries from N * 256 on, 32 bytes each,
`tile/entries/<N>` the 256 entries behind `tile/0/<N>`, each behind its length as 16 bits, big-endian.  A tile that is
not full yet stands in `<N>.p/<W>`, W being how many it holds.  N is written in groups of three digits, all but the last
behind an `x`: 1234067 is `x001/x234/067`.

An entry is the bytes of a record, so no record is longer than 65 535 bytes; the writer sees to that.  What always
holds: files are written whole and synced, and nothing that is read from them is taken for true before it adds up to
the root of a checkpoint.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from govlang.native.files import read_at_most, sync_folder, write_whole
from govlang.runtime.evidence.ledger import RECORD_MAX, EvidenceError, too_long
from govlang.runtime.evidence.merkle import (
    HASH_BYTES,
    complete,
    consistency_proof,
    fold,
    inclusion_proof,
)

WIDTH: Final = 256
HEIGHT: Final = 8
ENTRY_MAX: Final = RECORD_MAX
_length: Final = struct.Struct(">H").pack
BUNDLE_MAX: Final = WIDTH * (2 + ENTRY_MAX)
ENTRIES: Final = "entries"
FOLDER: Final = "tile"


def tile_path(kind: int | str, index: int, width: int = WIDTH) -> str:
    """Where a tile lies under the folder of the ledger; `kind` is its level, or `entries`."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    partial = f".p/{width}" if width < WIDTH else ""
    return f"{FOLDER}/{kind}/{'/'.join(groups)}{partial}"


def write_tile(
    folder: Path, kind: int | str, index: int, content: bytes, width: int = WIDTH
) -> None:
    """Put a tile down, whole and synced, unless it is there already.

    Raises:
        OSError: the disk refuses.
    """
    path = folder / tile_path(kind, index, width)
    if path.is_file() and read_at_most(path, len(content)) == content:
        return
    _make_folders(path.parent)
    write_whole(path, content)


def _make_folders(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def bundle(entries: Sequence[bytes]) -> bytes:
    """The content of a tile of entries.

    Raises:
        EvidenceError: GOV660 one is longer than 65 535 bytes.
    """
    try:
        return b"".join([part for entry in entries for part in (_length(len(entry)), entry)])
    except struct.error:
        raise too_long(max(map(len, entries))) from None


def unbundle(content: bytes) -> list[bytes] | None:
    """The entries of a tile; None: it is none."""
    entries, at = [], 0
    while at < len(content):
        end = at + 2 + int.from_bytes(content[at : at + 2], "big")
        if end > len(content) or at + 2 > len(content):
            return None
        entries.append(content[at + 2 : end])
        at = end
    return entries


class Tiles:
    """The tiles of a tree of `size` entries, read from a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.size = size
        self._read: dict[tuple[int | str, int], list[bytes]] = {}

    def subtree(self, level: int, index: int) -> bytes:
        """The root of the complete subtree at (level, index), from one tile.

        Raises:
            EvidenceError: GOV666 the tile is missing or broken.
        """
        row, inside = divmod(level, HEIGHT)
        first = index << inside
        hashes = self._tile(row, first // WIDTH)[first % WIDTH : first % WIDTH + (1 << inside)]
        return _top(hashes)

    def root(self) -> bytes:
        """The root that the tiles add up to.

        Raises:
            EvidenceError: GOV666 a tile is missing or broken.
        """
        return fold([self.subtree(level, index) for level, index in complete(0, self.size)])

    def entries(self, first: int, last: int) -> Iterator[bytes]:
        """The entries from `first` up to `last`, counted from 0, `last` left out.

        Raises:
            EvidenceError: GOV666 a tile is missing or broken.
        """
        for index in range(first // WIDTH, -(-last // WIDTH)):
            begin = index * WIDTH
            found = self._load(ENTRIES, index, min(WIDTH, self.size - begin))
            yield from found[max(first - begin, 0) : last - begin]

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The proof that entry `index` is in the tree, or in its beginning of `size` entries.

        Raises:
            ValueError: there is no such entry or no such beginning · EvidenceError: GOV666.
        """
        return inclusion_proof(self.subtree, index, self._within(size))

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """The proof that the tree of `first` entries is the beginning of this one, or of its first `second`.

        Raises:
            ValueError: not 0 < first <= second <= size · EvidenceError: GOV666.
        """
        return consistency_proof(self.subtree, first, self._within(second))

    def _within(self, size: int | None) -> int:
        if size is not None and size > self.size:
            raise ValueError(f"the tree has {self.size} entries, not {size}")
        return self.size if size is None else size

    def _tile(self, level: int, index: int) -> list[bytes]:
        key = (level, index)
        if key not in self._read:
            if len(self._read) >= WIDTH:
                self._read.clear()  # a bound on memory, not a cache to be clever with
            nodes = self.size >> (HEIGHT * level)
            self._read[key] = self._load(level, index, min(WIDTH, nodes - index * WIDTH))
        return self._read[key]

    def _load(self, kind: int | str, index: int, width: int) -> list[bytes]:
        """A tile of at least this width: the part asked for, or the full one that came of it."""
        for wide in dict.fromkeys((width, WIDTH)):
            path = self._folder / tile_path(kind, index, wide)
            try:
                content = read_at_most(path, BUNDLE_MAX)
            except FileNotFoundError:
                continue
            except OSError:
                break
            parts = unbundle(content) if kind == ENTRIES else _hashes(content)
            if parts is None or len(parts) != wide:
                break
            return parts[:width]
        path = self._folder / tile_path(kind, index, width)
        raise EvidenceError(
            "GOV666", f"the tile `{path}` is missing or broken", "restore it from a copy"
        )


def _hashes(content: bytes) -> list[bytes] | None:
    if len(content) % HASH_BYTES:
        return None
    return [content[i : i + HASH_BYTES] for i in range(0, len(content), HASH_BYTES)]


def widths(size: int) -> Sequence[tuple[int | str, int, int]]:
    """The tiles of a tree that are not full: kind, index and width of each."""
    parts: list[tuple[int | str, int, int]] = []
    level, nodes = 0, size
    while nodes:
        if nodes % WIDTH:
            parts.append((level, nodes // WIDTH, nodes % WIDTH))
            if level == 0:
                parts.append((ENTRIES, nodes // WIDTH, nodes % WIDTH))
        level, nodes = level + 1, nodes // WIDTH
    return parts


Emit = Callable[[int | str, int, bytes, int], None]
"""Takes a tile: kind, index, content, width."""


class Rows:
    """A tree that grows, as the rows of its tiles that are not full; those that become full are emitted."""

    __slots__ = ("_emit", "_entries", "_rows", "size")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.size = 0
        self._rows: list[list[bytes]] = [[]]
        self._entries: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Add the next entry.

        Raises:
            EvidenceError: GOV660 it is longer than 65 535 bytes.
        """
        if len(line) > ENTRY_MAX:
            raise too_long(len(line))
        self._entries.append(line)
        self.size += 1
        if len(self._entries) == WIDTH:
            self._close()

    def root(self) -> bytes:
        """The root of the tree so far."""
        self._hash()
        peaks = [
            _top(row[index << level : (index + 1) << level])
            for row in reversed(self._rows)
            for level, index in complete(0, len(row))
        ]
        return fold(peaks)

    def emit_partials(self) -> None:
        """Emit the tiles that are not full."""
        self._hash()
        for kind, index, width in widths(self.size):
            parts = bundle(self._entries) if kind == ENTRIES else b"".join(self._rows[int(kind)])
            self._emit(kind, index, parts, width)

    def _hash(self) -> None:
        """Hash the entries that have no leaf yet."""
        row = self._rows[0]
        row += [
            sha256(b"\x00" + entry).digest() for entry in self._entries[len(row) :]
        ]  # leaf_hash

    def _close(self) -> None:
        """Emit the tiles that are full; each level's root goes into the level above."""
        self._hash()
        nodes = self.size // WIDTH
        self._emit(ENTRIES, nodes - 1, bundle(self._entries), WIDTH)
        self._entries.clear()
        level = 0
        while len(self._rows[level]) == WIDTH:
            row = self._rows[level]
            self._emit(level, nodes - 1, b"".join(row), WIDTH)
            if level + 1 == len(self._rows):
                self._rows.append([])
            self._rows[level + 1].append(_top(row))
            row.clear()
            level, nodes = level + 1, nodes // WIDTH


def _top(hashes: list[bytes]) -> bytes:
    """The root over as many hashes as a power of two."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]  # node_hash
    return hashes[0]
