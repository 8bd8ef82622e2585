"""Modules are read back part by part; what docs/edge.md does not have is refused with its offset."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wasm_agreement import agree
from wasm_assembler import Wasm, assemble, leb, module_of, section, text, vector

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.machine import Cell, Store
from govlang.verifier.translation.wasm_read import read_wasm

Edit = Callable[[dict[int | str, bytes]], None]

STEP_OF = {"x": ("i32", 10), "y": ("i32", 7), "wide": ("i64", -1)}
OUTCOME = {"out.decision": "i32", "out.rule": "i32", "out.expires": "i64"}


def step(code: str, *locals_: str) -> Wasm:
    return Wasm(STEP_OF, OUTCOME, code, locals_)


def refuses(module: Wasm | bytes, why: str) -> ArtefactError:
    """The error that refuses a module."""
    with pytest.raises(ArtefactError, match=why) as caught:
        read_wasm(module if isinstance(module, bytes) else module.bytes())
    assert caught.value.code == "GOV416"
    assert caught.value.at.startswith("offset 0x")
    return caught.value


# --- what is read --------------------------------------------------------------------------------


def test_variables_and_cells_come_in_their_order_with_widths_and_first_values() -> None:
    found = read_wasm(step("i32.const 0").bytes())
    assert list(found.variables.items()) == [("x", 32), ("y", 32), ("wide", 64)]
    assert found.unset == {"x": 10, "y": 7, "wide": -1}
    assert list(found.cells.items()) == [
        ("out.decision", 32),
        ("out.rule", 32),
        ("out.expires", 64),
    ]
    assert (found.scans, found.constants, found.schema) == ({}, {}, b'{"policy": "p"}')


def test_a_field_whose_name_is_taken_has_its_own_name_again() -> None:
    names = {"field.memory": ("i32", 1), "field.x": ("i32", 1), "memo": ("i32", 1)}
    code = "global.get 0 global.set 3 i32.const 0"
    module = Wasm(names, decide=code)
    place = module.bytes().index(assemble(code)) + len(assemble("global.get 0"))
    artefact = agree(module.bytes())
    assert list(artefact.variables) == ["memory", "field.x", "memo"]
    first = Store("out.decision", Cell(32, "memory"), f"offset {place:#x}")
    assert artefact.decide.body[0] == first


# --- what is refused -----------------------------------------------------------------------------

CODE = {
    "a loop": ("loop end i32.const 0", "does not belong"),
    "a call": ("call 0", "does not belong"),
    "a float": ("f32.add i32.const 0", "does not belong"),
    "unreachable": ("unreachable", "does not belong"),
    "nop": ("nop i32.const 0", "does not belong"),
    "an operation that is not used": ("global.get 0 i32.clz", "does not belong"),
    "unsigned division": ("global.get 0 i32.const 2 i32.div_u", "does not belong"),
    "memory": ("global.get 0 i32.load8_u 0", "does not belong"),
    "a divisor that varies": ("global.get 0 global.get 1 i32.div_s", "constant above 0"),
    "a divisor of 0": ("global.get 0 i32.const 0 i32.rem_s", "constant above 0"),
    "a negative divisor": ("global.get 0 i32.const -1 i32.div_s", "constant above 0"),
    "a branch too far out": ("br 1", "no block 1 further out"),
    "a table too far out": ("global.get 0 br_table 0 7 ; 0", "no block 7 further out"),
    "an operand of another type": ("global.get 2", "64 bits and must have 32"),
    "types mixed": ("global.get 0 global.get 2 i32.add", "64 bits and must have 32"),
    "select of two types": ("global.get 0 global.get 2 i32.const 1 select", "must have 64"),
    "no operand": ("i32.const 1 i32.add", "an operand is missing"),
    "no result": ("global.get 0 drop", "an operand is missing"),
    "two results": ("global.get 0 global.get 0", "more operands than its result"),
    "an operand of a block further out": ("global.get 0 block drop end", "an operand is missing"),
    "a block that leaves operands": ("block global.get 0 end i32.const 0", "more operands"),
    "else without if": ("block else end i32.const 0", "without its `if`"),
    "two elses": ("global.get 0 if else else end i32.const 0", "without its `if`"),
    "a result without else": ("global.get 0 if:i32 i32.const 1 end", "needs an `else`"),
    "labels of two types": (
        "block:i64 block:i32 i64.const 0 global.get 0 br_table 0 ; 1 end drop i64.const 0 end drop i32.const 0",
        "different results",
    ),
    "no such local": ("local.get 1", "no local 1"),
    "no such global": ("global.get 6", "no global 6"),
    "a variable is set": ("global.get 1 global.set 0 i32.const 0", "which is no outcome"),
    "the outcome is read": ("global.get 3", "which is no variable"),
    "an end too many": ("i32.const 0 end", "left over"),
}


@pytest.mark.parametrize("name", CODE)
def test_code_that_does_not_belong_is_refused(name: str) -> None:
    code, why = CODE[name]
    refuses(step(code, "i32"), why)


def test_the_offset_of_a_refused_instruction_is_its_place() -> None:
    data = step("i32.const 0 i32.const 1 i32.div_s").bytes()
    error = refuses(data.replace(b"\x41\x01\x6d", b"\x41\x00\x6d"), "constant above 0")
    assert error.at == f"offset {data.index(assemble('i32.const 1 i32.div_s')) + 2:#x}"


def scan_free(edit: Edit) -> bytes:
    """A step whose sections were edited."""
    sections = step("global.get 0 global.set 4 i32.const 0").sections()
    edit(sections)
    return module_of(sections)


def replaced(key: int | str, old: bytes, new: bytes) -> Edit:
    def edit(sections: dict[int | str, bytes]) -> None:
        assert old in sections[key]
        sections[key] = sections[key].replace(old, new, 1)

    return edit


def whole(key: int | str, content: bytes) -> Edit:
    return lambda sections: sections.update({key: content})


def appended(key: int | str, content: bytes) -> Edit:
    return lambda sections: sections.update({key: sections[key] + content})


def without(key: int | str) -> Edit:
    def edit(sections: dict[int | str, bytes]) -> None:
        del sections[key]

    return edit


def inserted(number: int, content: bytes) -> Edit:
    """A section more, in front."""

    def edit(sections: dict[int | str, bytes]) -> None:
        rest = dict(sections)
        sections.clear()
        sections.update({number: content, **rest})

    return edit


def last(key: int | str) -> Edit:
    def edit(sections: dict[int | str, bytes]) -> None:
        sections[key] = sections.pop(key)

    return edit


NAMES = section(0, text("p"))
SECTIONS: dict[str, tuple[Edit, str]] = {
    "no types": (without(1), "functions and types do not fit"),
    "no functions": (without(3), "exports what is not there"),
    "no globals": (without(6), "exports what is not there"),
    "no exports": (without(7), "no export section"),
    "no code": (without(10), "no code section"),
    "no schema": (without("gov.schema"), "`gov.schema` is missing"),
    "no names": (without("name"), "ends before"),
    "an empty section": (whole(1, b"\0"), "is empty"),
    "functions before types": (inserted(3, vector([b"\0"])), "do not fit"),
    "schema behind names": (last("gov.schema"), "`gov.schema` is missing"),
    "imports": (inserted(2, b"\0"), "no section 2"),
    "a table": (inserted(4, b"\0"), "no section 4"),
    "a start function": (inserted(8, b"\0"), "no section 8"),
    "a section of a later version": (inserted(12, b"\0"), "no section 12"),
    "a third custom section": (lambda s: s.update({"more": b""}), "left over"),
    "bytes behind a section": (appended(6, b"\0"), "left over in the global section"),
    "a type of another kind": (whole(1, vector([b"\x60\x01\x7f\x01\x7f"])), "neither the type"),
    "two results": (whole(1, vector([b"\x60\x00\x02\x7f\x7f"])), "number of results"),
    "a type that is not used": (
        whole(1, vector([b"\x60\x00\x01\x7f", b"\x60\x02\x7f\x7f\x01\x7f"])),
        "do not fit",
    ),
    "a type twice": (whole(1, vector([b"\x60\x00\x01\x7f"] * 2)), "twice"),
    "no function type": (whole(1, vector([b"\x61\x00\x01\x7f"])), "a function type must be"),
    "a float": (whole(1, vector([b"\x60\x00\x01\x7d"])), "no type of integers"),
    "another type's number": (whole(3, vector([b"\x01"])), "do not fit"),
    "two bodies": (
        whole(10, vector([leb(4) + b"\0\x41\0\x0b"] * 2)),
        "the number of bodies is 2, must be 1",
    ),
    "a memory": (inserted(5, b"\x01\x01\x01\x01"), "wrong place"),
    "a global of floats": (replaced(6, b"\x7f\x01", b"\x7d\x01"), "no type of integers"),
    "a global that may change, or not": (replaced(6, b"\x7f\x01", b"\x7f\x02"), "mutable"),
    "a variable that cannot change": (replaced(6, b"\x7f\x01", b"\x7f\x00"), "must be mutable"),
    "a global set by a global": (replaced(6, b"\x41\x0a", b"\x23\x00"), "constant of 32 bits"),
    "a constant without end": (replaced(6, b"\x41\x0a\x0b", b"\x41\x0a\x0f"), "end of a constant"),
    "a wide constant": (replaced(6, b"\x41\x0a", b"\x42\x0a"), "constant of 32 bits"),
    "a decision that allows at first": (replaced(6, b"\x41\x04", b"\x41\x00"), "holds 0 at first"),
    "an outcome at first": (replaced(6, b"\x42\x00", b"\x42\x01"), "holds 1 at first"),
    "a variable behind the outcome": (
        replaced(7, text("out.rule"), text("ouT.rule")),
        "behind the",
    ),
    "a name that is taken": (replaced(7, text("wide"), text("text")), "no name of a variable"),
    "no name": (replaced(7, text("x"), text("")), "no name of a variable"),
    "a name twice": (replaced(7, text("x"), text("y")), "exported twice"),
    "a name that is no text": (replaced(7, b"x\x03", b"\xff\x03"), "not UTF-8"),
    "two names for a variable": (
        replaced(7, text("y") + b"\x03\x01", text("y") + b"\x03\x00"),
        "one name at most",
    ),
    "a variable without a name": (
        lambda s: s.update({7: vector([text("decide") + b"\0\0", text("commit") + b"\0\0"])}),
        "-1 at first",
    ),
    "an export of a table": (replaced(7, b"x\x03", b"x\x01"), "no function, memory or global"),
    "an export of what is not there": (replaced(7, b"x\x03\x00", b"x\x03\x09"), "not there"),
    "an export of no memory": (replaced(7, b"x\x03\x00", b"x\x02\x00"), "not there"),
    "only decide": (replaced(7, text("commit"), text("commie")), "neither as the step"),
    "a function more": (
        lambda s: s.update({3: b"\x02\0\0", 10: vector([leb(4) + b"\0\x41\0\x0b"] * 2)}),
        "in their order",
    ),
    "a body that does not end": (whole(10, vector([leb(3) + b"\0\x41\0"])), "ends before"),
    "a body cut off": (whole(10, vector([leb(9) + b"\0\x41\0\x0b"])), "ends before"),
    "bytes behind a body": (whole(10, vector([leb(5) + b"\0\x41\0\x0b\x0b"])), "left over"),
    "locals without number": (
        whole(10, vector([leb(6) + b"\x01\0\x7f\x41\0\x0b"])),
        "at least one",
    ),
    "locals without end": (
        whole(10, vector([leb(10) + b"\x01\xff\xff\xff\xff\x0f\x7f\x41\0\x0b"])),
        "at most 50000",
    ),
    "a number with a longer form": (
        whole(10, vector([leb(7) + b"\0\x23\x80\0\x41\0\x0b"])),
        "longer than it need be",
    ),
    "a constant with a longer form": (
        whole(10, vector([leb(5) + b"\0\x41\x80\x00\x0b"])),
        "longer than it need be",
    ),
    "a negative constant with a longer form": (
        whole(10, vector([leb(5) + b"\0\x41\xff\x7f\x0b"])),
        "longer than it need be",
    ),
    "a constant of 33 bits": (
        whole(10, vector([leb(8) + b"\0\x41\x80\x80\x80\x80\x08\x0b"])),
        "more than 32 bits",
    ),
    "an endless constant": (
        whole(10, vector([leb(9) + b"\0\x41" + b"\x80" * 5 + b"\0\x0b"])),
        "more than 32 bits",
    ),
    "a block of a type": (
        whole(10, vector([leb(7) + b"\0\x02\x00\x0b\x41\0\x0b"])),
        "no result of a block",
    ),
    "a schema that is no JSON": (whole("gov.schema", b"{"), "not JSON"),
    "a schema of deep JSON": (whole("gov.schema", b"[" * 100_000), "not JSON"),
    "another policy's schema": (whole("gov.schema", b'{"policy": "q"}'), "not called what"),
    "a schema that is no object": (whole("gov.schema", b"3"), "not called what"),
    "another module's name": (replaced("name", text("p"), text("q")), "not called what"),
    "a step of another name": (replaced("name", text("decide"), text("commit")), "must be called"),
    "a name for another function": (replaced("name", b"\0\x06", b"\x01\x06"), "in their order"),
    "names of locals": (appended("name", section(2, b"\0")), "left over in the `name` section"),
    "no name of the module": (whole("name", section(1, b"\0")), "the module's name must be"),
    "no names of functions": (whole("name", NAMES), "ends before"),
    "bytes behind the module's name": (
        whole("name", section(0, text("p") + b"x")),
        "left over in the module's name",
    ),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_that_do_not_fit_are_refused(name: str) -> None:
    edit, why = SECTIONS[name]
    read_wasm(scan_free(lambda _: None))
    refuses(scan_free(edit), why)


def test_what_is_no_module_is_refused() -> None:
    data = scan_free(lambda _: None)
    refuses(b"", "ends before 8 more bytes")
    refuses(b"\0asm\x02" + data[5:], "the beginning must be")
    refuses(data + b"\0", "left over")


def test_a_section_longer_than_the_module_is_refused() -> None:
    refuses(b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f", "ends before 4294967295 more bytes")
    refuses(b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x1f", "more than 32 bits")


def test_every_truncation_is_refused() -> None:
    data = scan_free(lambda _: None)
    for size in range(len(data)):
        refuses(data[:size], "GOV416")
