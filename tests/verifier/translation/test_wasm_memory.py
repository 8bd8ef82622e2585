"""The memory of a module and the names around its scans: each thing has its place, or is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import wasm_scans
from wasm_agreement import agree
from wasm_assembler import SCAN, Wasm, assemble, leb, module_of, section, text, vector
from wasm_scans import (
    COPY_A,
    COPY_B,
    DATA,
    SCAN_A,
    SCAN_B,
    TEXT,
    VALID,
    lone_scan,
    lone_text,
    two_texts,
)

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.wasm_read import read_wasm

SCAN_BODY = assemble("i32.const 0 end")


def refuses(module: Wasm | bytes, why: str) -> None:
    with pytest.raises(ArtefactError, match=why) as caught:
        read_wasm(module if isinstance(module, bytes) else module.bytes())
    assert caught.value.code == "GOV416"


def test_the_data_segment_is_the_automata_and_nothing_else() -> None:
    refuses(two_texts(data=DATA + b"\0\0"), "one automaton after another")
    refuses(two_texts(data=DATA[:-2]), "one automaton after another")
    more = SCAN_A.replace("i32.const 3 i32.ge_u", "i32.const 4 i32.ge_u", 1)
    more = more.replace(
        f"i32.load16_u {256 + 2 * len(VALID.next)}", f"i32.load16_u {264 + 2 * len(VALID.next)}"
    )
    refuses(two_texts(a=more), "one automaton after another")


def test_copies_and_the_text_area_have_their_places() -> None:
    refuses(two_texts(text=TEXT + 8), "texts go to")
    refuses(two_texts(text=TEXT - 8), "texts go to")
    moved = SCAN_A.replace(f"store8 {COPY_A}", f"store8 {COPY_A + 2}")
    theirs = SCAN_B.replace(f"load8_u {COPY_A}", f"load8_u {COPY_A + 2}")
    refuses(two_texts(a=moved, b=theirs), "must stand at")
    closer = SCAN_B.replace(f"store8 {COPY_B}", f"store8 {COPY_B - 1}")
    theirs = SCAN_A.replace(f"load8_u {COPY_B}", f"load8_u {COPY_B - 1}")
    refuses(two_texts(a=theirs, b=closer), "must stand at")


def test_the_longest_text_fits_into_the_memory() -> None:
    end = wasm_scans.size(VALID)
    room = 65536 - -(-end // 8) * 8
    for size in (room, room + 1):
        code = lone_scan().replace("i32.const 5 i32.gt_u", f"i32.const {size} i32.gt_u")
        if size == room:
            assert agree(lone_text(code).bytes(), texts=5).scans["b"].max_bytes == room
        else:
            refuses(lone_text(code), "longest text does not fit")


def edited(old: bytes, new: bytes, key: int | str = 7) -> bytes:
    sections = two_texts().sections()
    assert old in sections[key]
    sections[key] = sections[key].replace(old, new, 1)
    return module_of(sections)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (text("memory") + b"\x02\0", text("memorY") + b"\x02\0", "exported as `memory` alone"),
        (text("text") + b"\x03", text("texT") + b"\x03", "exported as `text`"),
        (text("classify.a"), text("classifY.a"), "neither as the step"),
        (text("classify.a"), text("classify.c"), "must be called `classify.c`"),
        (text("class.a.1"), text("class.a.2"), "classes of `a` are out of order"),
        (text("class.a.1"), text("class.a.x"), "classes of `a` are out of order"),
        (text("class.a.1"), text("class.c.0"), "unset at first"),
        (text("same.a.b"), text("same.b.a"), "unset at first"),
        (text("same.a.b"), text("same.a.c"), "unset at first"),
    ],
)
def test_exports_of_scans_have_their_names(old: bytes, new: bytes, why: str) -> None:
    refuses(edited(old, new), why)


def test_a_memory_is_exported_and_has_a_fixed_size() -> None:
    exported = two_texts().sections()[7]
    refuses(
        edited(exported, b"\x09" + exported[1:].replace(text("memory") + b"\x02\0", b"")),
        "not exported",
    )
    refuses(edited(b"\x01\x01\x01\x01", b"\x01\x01\x01\x02", 5), "one number of pages")
    refuses(edited(b"\x01\x01\x01\x01", b"\x01\x00\x01", 5), "one memory with a maximum")
    refuses(edited(b"\x01\x01\x01\x01", b"\x02\x01\x01\x01\x01\x01\x01", 5), "one memory")
    refuses(edited(b"\x01\x01\x01\x01", b"\x01\x01\x00\x00", 5), "one number of pages")
    refuses(edited(b"\x01\0\x41\0\x0b", b"\x01\0\x41\1\x0b", 11), "one data segment at address 0")


def test_a_memory_has_data_that_fit() -> None:
    refuses(two_texts(data=b""), "is empty or does not fit")
    refuses(two_texts(data=bytes(65537)), "is empty or does not fit")
    sections = two_texts().sections()
    del sections[11]
    refuses(module_of(sections), "memory and data stand or fall together")


def without_exports(sections: dict[int | str, bytes], *gone: bytes) -> bytes:
    """The export section without some exports."""
    exports = sections[7]
    for one in gone:
        assert one in exports
        exports = exports.replace(one, b"")
    return bytes([exports[0] - len(gone)]) + exports[1:]


def test_a_module_of_scans_alone_has_no_step() -> None:
    sections = two_texts().sections()
    steps = (text("decide") + b"\0\0", text("commit") + b"\0\0")
    exports = without_exports(sections, *steps, text("classify.b") + b"\0\2")
    body = b"\0" + SCAN_BODY
    sections |= {
        1: vector([SCAN]),
        3: b"\x01\0",
        7: exports.replace(text("classify.a") + b"\0\1", text("classify.a") + b"\0\0"),
        10: vector([leb(len(body)) + body]),
        "name": section(0, text("p")) + section(1, vector([b"\0" + text("classify.a")])),
    }
    refuses(module_of(sections), "no function is exported as `decide`")


def test_lengths_stand_behind_the_outcome() -> None:
    sections = two_texts().sections()
    pair, decision = b"\x7f\x01\x41\x02\x0b", b"\x7f\x01\x41\x04\x0b"
    assert pair + decision in sections[6]
    sections[6] = sections[6].replace(pair + decision, b"\x7f\x01\x41\x7f\x0b" + decision)
    sections[7] = without_exports(sections, text("same.a.b") + b"\3\2")
    refuses(module_of(sections), "stands behind the lengths")


def test_the_place_of_texts_is_a_constant() -> None:
    refuses(edited(b"\x7f\x00", b"\x7f\x01", 6), "must be an immutable i32")


def shifted(code: str) -> str:
    """The code when one more variable stands before the outcome."""
    return re.sub(r"(global\.\w+) ([3-9])", lambda m: f"{m[1]} {int(m[2]) + 1}", code)


@pytest.mark.parametrize("name", ["class.c.0", "same.a.c", "same.b.a"])
def test_every_class_and_pair_is_set_by_its_text(name: str) -> None:
    variables = {**two_texts().variables, name: ("i32", 2)}
    step = shifted(two_texts().decide)
    module = two_texts(a=shifted(SCAN_A), b=shifted(SCAN_B))
    refuses(replace(module, variables=variables, decide=step), f"no function sets `{name}`")


def test_a_variable_more_is_no_fault() -> None:
    variables = {**two_texts().variables, "x": ("i32", 2)}
    module = two_texts(a=shifted(SCAN_A), b=shifted(SCAN_B))
    agree(replace(module, variables=variables, decide=shifted(module.decide)).bytes())


def test_lengths_belong_to_compared_texts() -> None:
    refuses(replace(two_texts(), lengths=3), "lengths and compared texts do not fit")
    refuses(replace(two_texts(), lengths=1), "a pair is not what its texts are")


def test_a_pair_is_set_by_both_of_its_texts() -> None:
    silent = SCAN_B.replace(wasm_scans.same(5, 4), "")
    refuses(two_texts(b=silent), "its own variables are set")


def test_a_memory_and_texts_stand_or_fall_together() -> None:
    refuses(Wasm(pages=1, data=DATA, text=TEXT), "stand or fall together")
    refuses(replace(two_texts(), pages=0), "stand or fall together")
