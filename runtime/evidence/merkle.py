"""Merkle trees of RFC 6962 (RFC 9162 2.1): entries or hashes in, roots and proofs out, and their verification.

What always holds: a leaf is hashed with 0x00 before it and a node with 0x01, so that neither stands for the other; the
left part of a tree of n entries has the largest power of two below n of them.  Verification is RFC 9162 2.1.3.2 and
2.1.4.2, step by step, and says no to a proof of another length.  Entries are counted from 0 as there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without entries."""

Subtree = Callable[[int, int], bytes]
"""The root of the complete subtree at (level, index): of the 2^level entries from index * 2^level on."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """A tree that grows and keeps only the roots of its complete subtrees, the largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Go on from `size` entries, whose complete subtrees have the roots `peaks`."""
        self.size = size
        self._peaks = list(peaks)
        assert len(self._peaks) == size.bit_count()

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, the largest first: what must be kept to go on."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add the hash of one entry; complete subtrees of one size become one."""
        node, full = leaf, self.size
        while full & 1:
            node = node_hash(self._peaks.pop(), node)
            full >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree so far."""
        return fold(self._peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root of complete subtrees side by side, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root of the tree over hashes of entries."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def complete(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, index) that tile the entries from `begin` up to `end`, in order."""
    while begin < end:
        most = (end - begin).bit_length() - 1
        level = min(most, (begin & -begin).bit_length() - 1) if begin else most
        yield level, begin >> level
        begin += 1 << level


def range_root(subtree: Subtree, begin: int, end: int) -> bytes:
    """The root over the entries from `begin` up to `end`, which are a part that RFC 9162 makes of a tree."""
    return fold([subtree(level, index) for level, index in complete(begin, end)])


def inclusion_proof(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """The hashes that lead from entry `index` to the root of `size` entries, from the leaf up (RFC 9162 2.1.3.1).

    Raises:
        ValueError: there is no such entry.
    """
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size}")
    return [range_root(subtree, *part) for part in reversed(_siblings(index, size))]


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges beside the path from the root to an entry, from the root down."""
    begin, end = 0, size
    found = []
    while end - begin > 1:
        middle = begin + _left(end - begin)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found


def consistency_proof(subtree: Subtree, first: int, second: int) -> list[bytes]:
    """The hashes that show the tree of `first` entries to be the beginning of that of `second` (RFC 9162 2.1.4.1).

    Raises:
        ValueError: not 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError(f"there is no proof from {first} to {second} entries")
    begin, end, known = 0, second, True
    parts = []
    while first != end:
        middle = begin + _left(end - begin)
        if first <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((begin, middle))
            begin, known = middle, False
    if not known:
        parts.append((begin, end))
    return [range_root(subtree, *part) for part in reversed(parts)]


def _left(size: int) -> int:
    """The largest power of two below `size`, which is above 1."""
    return 1 << ((size - 1).bit_length() - 1)


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` leads from a leaf to the root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(part, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, part)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows the first tree to be the beginning of the second (RFC 9162 2.1.4.2).

    A tree without entries is the beginning of every tree, and two trees of one size are consistent when their roots
    are one, both without a proof.
    """
    if not 0 <= first <= second:
        return False
    if first in {0, second}:
        return not proof and first_root == (EMPTY_ROOT if first == 0 else second_root)
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for part in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(part, old), node_hash(part, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, part)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
