"""Checks an evidence ledger with Python's standard library alone: `python3 auditor.py LEDGER [--key VKEY]`.

In: a ledger (a JSONL file, a directory with LEDGER.jsonl, a data directory with gov.db, or a folder of tiles), verifier
keys and checkpoints kept elsewhere.  Out: what was checked, and every fault; exit 0 intact, 1 faults, 2 unusable.

This one file shares no code with the program that wrote the ledger, and is longer than the 400 lines that others have,
both on purpose: whoever audits copies it to a machine of their own and reads it there, whole.  It follows RFC 8032
(Ed25519), RFC 6962 (trees), C2SP signed-note, tlog-checkpoint and tlog-tiles.  What always holds: a record that was
changed, dropped, moved or cut off is found, up to the largest checkpoint that a given key signed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GENESIS = "sha256:" + "0" * 64
LINE_MAX = 2**22
NOTE_MAX = 2**16
WIDTH = 256
BODY = r"([^\n]{1,200})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n(?:successor (\S{1,500})\n)?"
TURNED = r"checkpoint-([0-9]{1,19})(?:\.([0-9]{1,9}))?"


class UnusableError(Exception):
    """The ledger, a key or a checkpoint cannot be read at all."""


# --- Ed25519, RFC 8032 section 5.1 and its appendix -------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x * y = T/Z."""


def add(one: Point, other: Point) -> Point:
    """The sum of two points."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(scalar: int, point: Point) -> Point:
    """A multiple of a point."""
    found: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point = add(point, point)
        scalar >>= 1
    return found


def same(one: Point, other: Point) -> bool:
    """Whether two points are one."""
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (
        one[1] * other[2] - other[1] * one[2]
    ) % P == 0


def decompress(content: bytes) -> Point | None:
    """The point that 32 bytes name; None: they name none."""
    number = int.from_bytes(content, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(content) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over the message is of this key (RFC 8032 5.1.7)."""
    point, half = decompress(key), decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or half is None or scalar >= ORDER or BASE is None:
        return False
    hashed = hashlib.sha512(signature[:32] + key + message).digest()
    challenge = int.from_bytes(hashed, "little") % ORDER
    return same(times(scalar, BASE), add(half, times(challenge, point)))


# --- keys, notes, checkpoints -----------------------------------------------------------------------


class Key(NamedTuple):
    """A verifier key, and the largest tree that it may sign (None: any)."""

    name: str
    hash: bytes
    raw: bytes
    until: int | None
    text: str


class Checkpoint(NamedTuple):
    """A checkpoint whose signature holds."""

    origin: str
    size: int
    root: bytes
    signers: tuple[str, ...]
    where: str
    successor: str | None


def unbased(text: str) -> bytes:
    """The bytes of base64 in its one form; empty: it is none."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, UnicodeEncodeError):
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""


def read_key(line: str) -> Key:
    """A verifier key `NAME+HASH+BASE64`, perhaps with ` until SIZE` behind it."""
    found = re.fullmatch(
        r"(([^\s+]{1,200})\+([0-9a-f]{8})\+(\S+))(?: until (0|[1-9][0-9]{0,18}))?", line
    )
    raw = unbased(found[4]) if found else b""
    if found is None or len(raw) != 33 or raw[0] != 1:
        raise UnusableError(f"`{line[:80]}` is no Ed25519 verifier key (NAME+HASH+BASE64)")
    hashed = hashlib.sha256(found[2].encode() + b"\n" + raw).digest()[:4]
    if hashed.hex() != found[3]:
        raise UnusableError(f"the verifier key `{line[:80]}` has another hash than it says")
    until = int(found[5]) if found[5] else None
    return Key(found[2], hashed, raw[1:], until, found[1])


def read_keys(text: str) -> list[Key]:
    """The keys of a `ledger.pub`."""
    lines = (line.strip() for line in text.splitlines())
    return [read_key(line) for line in lines if line and not line.startswith("#")]


def soonest(keys: list[Key]) -> dict[str, Key]:
    """Keys by their texts; of one that is named twice the line by which it retires first."""
    found: dict[str, Key] = {}
    for key in keys:
        before = found.setdefault(key.text, key)
        if before.until is None or (key.until is not None and key.until < before.until):
            found[key.text] = key
    return found


def may_sign(key: Key, size: int) -> bool:
    """Whether a key was in use when there were so many records."""
    return key.until is None or size <= key.until


def signatures(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a signed note and its signatures: name, key hash, signature."""
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8") from None
    head, gap, tail = whole.rpartition("\n\n")
    lines = tail.split("\n")
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", whole):
        raise ValueError("it holds control characters")
    if len(note) > NOTE_MAX or not gap or lines.pop() or not lines or len(lines) > 16:
        raise ValueError("it is no signed note")
    found = []
    for line in lines:
        parts = re.fullmatch(r"— ([^\s+]{1,200}) (\S+)", line)
        raw = unbased(parts[2]) if parts else b""
        if parts is None or len(raw) <= 4:
            raise ValueError("it is no signed note")
        found.append((parts[1], raw[:4], raw[4:]))
    return head + "\n", found


def open_checkpoint(note: bytes, keys: list[Key], where: str) -> Checkpoint:
    """A checkpoint that one of these keys signed and may sign; ValueError says why it is none."""
    text, signed = signatures(note)
    known = {(key.name, key.hash): key for key in keys}
    signers: list[Key] = []
    for name, hashed, signature in signed:
        key = known.get((name, hashed))
        if key is None:
            continue
        if key in signers or not verifies(key.raw, text.encode(), signature):
            raise ValueError(f"the signature of `{name}+{hashed.hex()}` does not hold")
        signers.append(key)
    body = re.fullmatch(BODY, text)
    root = unbased(body[3]) if body else b""
    if body is None or len(root) != 32:
        raise ValueError("it says no origin, size and root")
    if not signers:
        raise ValueError("none of the known keys signed it")
    if not any(may_sign(key, int(body[2])) for key in signers):
        raise ValueError("its key was retired before so many records")
    texts = tuple(key.text for key in signers)
    return Checkpoint(body[1], int(body[2]), root, texts, where, body[4])


def rotation(note: bytes, known: dict[str, Key], where: str) -> tuple[int, str, str] | None:
    """Over how many records which key took the place of which (size, before, successor); None: a note says none."""
    try:
        said = open_checkpoint(note, [key._replace(until=None) for key in known.values()], where)
    except ValueError:
        return None
    before = [text for text in said.signers if text != said.successor]
    if said.successor not in said.signers or len(before) != 1:
        return None
    return said.size, before[0], str(said.successor)


# --- ledgers ----------------------------------------------------------------------------------------


def read_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnusableError(f"`{path}` is no file")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UnusableError(f"`{path}`: {error.strerror}") from None
    if len(content) > most:
        raise UnusableError(f"`{path}` is longer than {most} bytes")
    return content


def file_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a JSONL file; the part behind the last line end ends in ValueError."""
    if not path.is_file():
        raise UnusableError(f"`{path}` is no file")
    rest = b""
    with path.open("rb") as file:
        while True:
            chunk = file.read(2**20)
            if not chunk:
                break
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            if len(rest) > LINE_MAX:
                raise UnusableError(f"a line of `{path}` is longer than {LINE_MAX} bytes")
            yield from lines
    if rest:
        raise ValueError("the last line is cut off")


def database_lines(path: Path) -> Iterator[bytes]:
    """The lines of a service's database, opened for reading only."""
    waiting = Path(f"{path}-wal").exists()
    mode = "mode=ro" if waiting else "mode=ro&immutable=1"
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)
        try:
            rows = database.execute("SELECT seq, line FROM ledger ORDER BY seq")
            for at, (seq, line) in enumerate(rows, 1):
                if seq != at or not isinstance(line, bytes):
                    raise ValueError(f"row {at} of the database is number {seq}, or no bytes")
                yield line
        finally:
            database.close()
    except sqlite3.Error as error:
        raise UnusableError(f"`{path}`: {error}") from None


def tile_path(folder: Path, kind: str, index: int, width: int) -> Path:
    """Where a tile lies (C2SP tlog-tiles)."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return folder / "tile" / kind / ("/".join(groups) + (f".p/{width}" if width < WIDTH else ""))


def tile_lines(folder: Path, size: int) -> Iterator[bytes]:
    """The entries of the tiles of a tree."""
    for index in range(-(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        path = tile_path(folder, "entries", index, width)
        try:
            content = read_file(path, WIDTH * (2 + 2**16))
        except UnusableError as error:
            raise ValueError(str(error)) from None
        at = found = 0
        while at < len(content):
            end = at + 2 + int.from_bytes(content[at : at + 2], "big")
            found += 1
            if end > len(content) or found > width:
                break
            yield content[at + 2 : end]
            at = end
        if found != width or at != len(content):
            raise ValueError(f"the tile `{path}` is broken")


class Place(NamedTuple):
    """A ledger: its lines, and where head, checkpoint and keys lie."""

    kind: str
    lines: Iterator[bytes]
    folder: Path
    head: Path


def open_ledger(place: Path, size: int) -> Place:
    """The ledger at a place; `size` is what its checkpoint says, for a folder of tiles."""
    if (place / "gov.db").is_file():
        return Place("database", database_lines(place / "gov.db"), place, place / "LEDGER.head")
    if (place / "LEDGER.jsonl").exists():
        path = place / "LEDGER.jsonl"
        return Place("JSON lines", file_lines(path), place, place / "LEDGER.head")
    if (place / "tile").is_dir():
        return Place("tiles", tile_lines(place, size), place, place / "LEDGER.head")
    if not place.is_file():
        raise UnusableError(f"`{place}` is no ledger")
    return Place("JSON lines", file_lines(place), evidence(place), place.with_suffix(".head"))


def evidence(place: Path) -> Path:
    """The folder with checkpoint and keys of a ledger."""
    return place if place.is_dir() else place.with_suffix(".evidence")


# --- the check --------------------------------------------------------------------------------------


class Tree:
    """The roots of the complete subtrees of RFC 6962, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, entry: bytes) -> None:
        """Add an entry."""
        node, full = hashlib.sha256(b"\x00" + entry).digest(), self.size
        while full & 1:
            node = hashlib.sha256(b"\x01" + self.peaks.pop() + node).digest()
            full >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = hashlib.sha256(b"\x01" + peak + root).digest()
        return root


class Auditor:
    """One pass over a ledger; `faults` say what does not add up, `notes` what was checked."""

    def __init__(self, place: Path, keys: list[Key], kept: list[tuple[str, bytes]]) -> None:
        self.place, self.folder = place, evidence(place)
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.given = keys
        self.checkpoints = self.open_all(kept)

    def open_all(self, kept: list[tuple[str, bytes]]) -> list[Checkpoint]:
        """The checkpoints that known keys signed, the smallest first."""
        path = self.folder / "ledger.pub"
        public = read_keys(read_file(path, 2**18).decode()) if path.is_file() else []
        named = ((re.fullmatch(TURNED, one.name), one) for one in self.folder.glob("checkpoint-*"))
        turned = sorted(((int(n[1]), int(n[2] or 1)), one) for n, one in named if n)
        notes = [(str(file), read_file(file, NOTE_MAX)) for _, file in turned]
        keys = self.trust(public, notes) if self.given else public
        if (self.folder / "checkpoint").exists():
            stored = self.folder / "checkpoint"
            notes.append((str(stored), read_file(stored, NOTE_MAX)))
        found = []
        for where, note in [*notes, *kept]:
            try:
                found.append(open_checkpoint(note, keys, where))
            except ValueError as error:
                self.faults.append(f"checkpoint `{where}`: {error}")
        if self.given and not found:
            self.faults.append("there is no checkpoint that the given key verifies")
        return sorted(found, key=lambda one: one.size)

    def trust(self, public: list[Key], notes: list[tuple[str, bytes]]) -> list[Key]:
        """The given keys, and those that rotations lead to.

        From a key to its successor, and back to the one before for trees up to their rotation, but from there to
        nothing else: a key that was replaced may be a thief's.  What lies beside the ledger makes no key last longer.
        """
        ends, given = soonest(public), {key.text for key in self.given}
        keys = soonest([*self.given, *(key for key in public if key.text in given)])
        found = [one for where, note in notes if (one := rotation(note, ends | keys, where))]
        for size, before, successor in found:
            if before in keys and may_sign(keys[before], size):
                keys[before] = keys[before]._replace(until=size)
                keys = {successor: ends[successor]} | keys if successor in ends else keys
            elif before in keys:
                self.faults.append(f"a key that was replaced over {size} records had been before")
        for size, before, successor in reversed(found):
            if successor in keys and may_sign(keys[successor], size):
                old = (ends | keys)[before]._replace(until=size)
                keys = soonest([*keys.values(), old])
        return list(keys.values())

    def run(self) -> None:
        """Follow the chain, and hold head and checkpoints against it."""
        size = self.checkpoints[-1].size if self.checkpoints else 0
        place = open_ledger(self.place, size)
        head = self.read_head(place)
        tree, prev = Tree(), GENESIS
        self.compare(tree)
        try:
            for line in place.lines:
                self.link(line, tree.size + 1, prev)
                prev = "sha256:" + hashlib.sha256(line).hexdigest()
                tree.add(line)
                self.compare(tree)
                if head and head[0] == tree.size and head[1] != prev:
                    self.faults.append(f"record {tree.size} is not the one that the head names")
        except ValueError as error:
            self.faults.append(f"after record {tree.size}: {error}")
        self.notes.append(f"{tree.size} records ({place.kind}), chain up to {prev}")
        self.end(tree.size, head)

    def link(self, line: bytes, seq: int, prev: str) -> None:
        """Whether a line is record `seq` and follows the record before it."""
        try:
            text = line.decode()  # `json.loads` takes other encodings and blanks, too
            record, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            text, record, end = "", None, 0
        if not isinstance(record, dict) or end != len(text):
            self.faults.append(f"line {seq} is no record")
        elif record.get("seq") != seq or type(record["seq"]) is not int:
            self.faults.append(f"line {seq} holds record {str(record.get('seq'))[:40]}")
        elif record.get("prev") != prev:
            self.faults.append(f"record {seq} does not follow the record before it")

    def compare(self, tree: Tree) -> None:
        """Hold the checkpoints over as many records against their root."""
        for one in self.checkpoints:
            if one.size == tree.size:
                if one.root == tree.root():
                    names = ", ".join(one.signers)
                    said = (
                        f"checkpoint of `{one.origin}` over {one.size} records, signed by {names}"
                    )
                    self.notes.append(said)
                else:
                    self.faults.append(
                        f"checkpoint `{one.where}` has another root than the first {one.size} records"
                    )

    def read_head(self, place: Place) -> tuple[int, str] | None:
        """Count and hash of the head beside the ledger."""
        path = place.head
        if not path.exists():
            if place.kind != "tiles" or not self.checkpoints:
                self.faults.append("there is no head: a cut at the end would not be seen")
            return None
        if place.kind == "tiles":
            self.faults.append(
                "there is a head, and the database or the lines that it is of are gone: tiles are left"
            )
        content = read_file(path, 1024)
        found = re.fullmatch(rb'\{"count":(\d{1,18}),"hash":"(sha256:[0-9a-f]{64})"\}\n', content)
        if found is None:
            self.faults.append(f"`{path}` is no head")
            return None
        return int(found[1]), found[2].decode()

    def end(self, count: int, head: tuple[int, str] | None) -> None:
        """What can only be said when every line was seen."""
        if head:
            if head[0] == count:
                self.notes.append("the head names the last record")
            else:
                self.faults.append(f"the head counts {head[0]} records, the ledger has {count}")
        for one in self.checkpoints:
            if one.size > count:
                self.faults.append(
                    f"checkpoint `{one.where}` counts {one.size} records, the ledger has {count}"
                )
        covered = max((one.size for one in self.checkpoints if one.size <= count), default=0)
        if covered < count:
            self.notes.append(f"{count - covered} records are under no checkpoint yet")
        if count and not self.checkpoints and (self.folder / "ledger.pub").is_file():
            self.notes.append("nothing is signed, though a key is there (`ledger.pub`)")
        if not self.given:
            self.notes.append(
                "no --key was given: who can write the ledger could have rewritten it"
            )


def main(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="auditor.py", description="check an evidence ledger")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--key", action="append", default=[], metavar="VKEY", help="or a file")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, metavar="FILE")
    chosen = parser.parse_args(arguments)
    try:
        auditor = Auditor(
            chosen.ledger,
            [key for text in chosen.key for key in given_keys(text)],
            [(str(path), read_file(path, NOTE_MAX)) for path in chosen.checkpoint],
        )
        auditor.run()
    except (UnusableError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"unusable: {error}\n")
        return 2
    for note in auditor.notes:
        sys.stdout.write(f"checked  {note}\n")
    for fault in auditor.faults[:100]:
        sys.stdout.write(f"fault    {fault}\n")
    sys.stdout.write(f"{'faulty' if auditor.faults else 'intact'}   {chosen.ledger}\n")
    return 1 if auditor.faults else 0


def given_keys(text: str) -> list[Key]:
    """A verifier key, or a file of them."""
    if text.count("+") >= 2:
        return [read_key(text)]
    return read_keys(read_file(Path(text), 2**18).decode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
