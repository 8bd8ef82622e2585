from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.runtime.evidence.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
)

MOST = 130
ENTRIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The vectors of RFC 6962's reference implementation: the roots of the first 0 to 8 entries."""

LEAVES = [leaf_hash(b"%d" % i) for i in range(MOST + 1)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, word by word, on hashes of entries."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: Sequence[bytes], *, known: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 2.1.2."""
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], known=known), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], known=False), naive_root(leaves[:k])]


def subtree(level: int, index: int) -> bytes:
    return naive_root(LEAVES[index << level : (index + 1) << level])


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_the_reference_vectors(size: int) -> None:
    assert root_of(map(leaf_hash, ENTRIES[:size])).hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(MOST + 1))
def test_root_and_proofs_are_those_of_the_definition(size: int) -> None:
    leaves = LEAVES[:size]
    root = naive_root(leaves)
    assert root_of(leaves) == root
    for index in range(size):
        proof = inclusion_proof(subtree, index, size)
        assert proof == naive_path(index, leaves)
        assert is_included(leaves[index], index, size, proof, root)
        assert not is_included(leaves[index], index, size, [*proof, root], root)
        assert not proof or not is_included(leaves[index], index, size, proof[:-1], root)
    for first in range(1, size + 1):
        proof = consistency_proof(subtree, first, size)
        assert proof == naive_subproof(first, leaves, known=True)
        assert is_consistent(first, size, naive_root(leaves[:first]), root, proof)


def test_a_range_goes_on_from_its_peaks() -> None:
    tree = CompactRange()
    for size, leaf in enumerate(LEAVES):
        again = CompactRange(size, tree.peaks)
        tree.append(leaf)
        again.append(leaf)
        assert again.root() == tree.root()


@given(st.data())
def test_no_changed_inclusion_proof_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    root = naive_root(LEAVES[:size])
    proof = inclusion_proof(subtree, index, size)
    what = data.draw(st.sampled_from(("part", "leaf", "root", "index", "drop", "swap")))
    leaf, at = LEAVES[index], index
    match what:
        case "part" if proof:
            place = data.draw(st.integers(0, len(proof) - 1))
            proof[place] = flipped(data, proof[place])
        case "leaf":
            leaf = flipped(data, leaf)
        case "index":
            at = data.draw(st.integers(-2, size + 2).filter(lambda i: i != index))
        case "drop" if proof:
            del proof[data.draw(st.integers(0, len(proof) - 1))]
        case "swap" if len(proof) > 1:
            proof.reverse()
        case _:
            root = flipped(data, root)
    assert not is_included(leaf, at, size, proof, root)


@given(st.data())
def test_no_changed_consistency_proof_verifies(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, MOST))
    first = data.draw(st.integers(1, second - 1))
    old, new = naive_root(LEAVES[:first]), naive_root(LEAVES[:second])
    proof = consistency_proof(subtree, first, second)
    match data.draw(st.sampled_from(("part", "old", "new", "drop", "more", "none"))):
        case "part":
            place = data.draw(st.integers(0, len(proof) - 1))
            proof[place] = flipped(data, proof[place])
        case "old":
            old = flipped(data, old)
        case "drop":
            del proof[data.draw(st.integers(0, len(proof) - 1))]
        case "more":
            proof.insert(data.draw(st.integers(0, len(proof))), new)
        case "none":
            proof = []
        case _:
            new = flipped(data, new)
    assert not is_consistent(first, second, old, new, proof)


def flipped(data: st.DataObject, content: bytes) -> bytes:
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def test_the_ends_of_consistency() -> None:
    root = naive_root(LEAVES[:5])
    assert is_consistent(0, 5, EMPTY_ROOT, root, [])
    assert is_consistent(5, 5, root, root, [])
    assert not is_consistent(0, 5, root, root, [])
    assert not is_consistent(5, 5, root, EMPTY_ROOT, [])
    assert not is_consistent(5, 5, root, root, [root])
    assert not is_consistent(6, 5, root, root, [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_there_is_no_proof_of_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        inclusion_proof(subtree, index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_proof_from_a_tree_that_is_none(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no proof"):
        consistency_proof(subtree, first, second)
