"""Changes of a scan in WebAssembly after which it is none: the code, what stands there instead, the message."""

from __future__ import annotations

import wasm_scans
from wasm_scans import COPY_A, COPY_B, ENDS_IN_B, ONLY_A, SCAN_A, VALID

CHANGES: dict[str, tuple[str, str, str]] = {
    "code behind the loop": (
        "br 0 end end",
        "br 0 local.get 1 local.set 3 end end",
        "where nothing comes",
    ),
    "a state is checked twice": (
        "i32.const 3 i32.ge_u br_if 2",
        "i32.const 3 i32.ge_u br_if 2 local.get 4 i32.const 3 i32.ge_u br_if 2",
        "one by one",
    ),
    "a pair is a constant": (wasm_scans.same(7, 5), "i32.const 1 global.set 2", "a pair is not"),
    "a class keeps its value at first": ("i32.const 3 global.set 0", "", "unset at first"),
    "a class gets another value at first": ("i32.const 3 global", "i32.const 4 global", "unset at"),
    "a pair gets another value at first": (
        "i32.const 2 global.set 2",
        "i32.const 1 global.set 2",
        "unset at",
    ),
    "a length keeps its value at first": ("i32.const -1 global.set 4", "", "has one length"),
    "a length gets another value at first": (
        "i32.const -1 global.set 4",
        "i32.const 0 global.set 4",
        "unset",
    ),
    "the other length is unset": (
        "i32.const -1 global.set 4",
        "i32.const -1 global.set 5",
        "variables are set",
    ),
    "the outcome is set": ("block", "i32.const 0 global.set 3 block", "unset at first"),
    "a class is unset twice": ("block", "i32.const 3 global.set 0 block", "unset at first"),
    "no greatest length": ("local.get 1 i32.const 9 i32.gt_u br_if 0", "", "not checked"),
    "a length that is signed": ("i32.const 9 i32.gt_u", "i32.const 9 i32.gt_s", "not checked"),
    "no end of the memory": (
        "local.get 0 i32.const 65536 local.get 1 i32.sub i32.gt_u br_if 0",
        "",
        "not checked",
    ),
    "an end behind the memory": ("i32.const 65536", "i32.const 65537", "not checked"),
    "an end that is signed": ("i32.sub i32.gt_u", "i32.sub i32.gt_s", "not checked"),
    "an end that forgets the length": (
        "local.get 1 i32.sub i32.gt_u",
        "i32.const 0 i32.sub i32.gt_u",
        "not checked",
    ),
    "the pointer is changed": ("block", "i32.const 0 local.set 0 block", "parameter is set"),
    "the length is changed": ("loop", "loop i32.const 3 local.set 1", "parameter is set"),
    "a state begins elsewhere": (
        "block",
        "i32.const 1 local.set 4 block",
        "does not go on by its automaton",
    ),
    "an index begins elsewhere": ("block", "i32.const 1 local.set 2 block", "byte by byte"),
    "a difference begins elsewhere": (
        "block",
        "i32.const 1 local.set 7 block",
        "gather the difference",
    ),
    "an index goes on by two": (
        "i32.const 1 i32.add local.set 2",
        "i32.const 2 i32.add local.set 2",
        "byte by byte",
    ),
    "an index is signed": (
        "local.get 2 local.get 1 i32.ge_u",
        "local.get 2 local.get 1 i32.ge_s",
        "byte by byte",
    ),
    "one byte more": (
        "local.get 2 local.get 1 i32.ge_u",
        "local.get 2 local.get 1 i32.gt_u",
        "byte by byte",
    ),
    "the end is never asked for": ("local.get 2 local.get 1 i32.ge_u br_if 1", "", "byte by byte"),
    "the end is refused": (
        "local.get 2 local.get 1 i32.ge_u br_if 1",
        "local.get 2 local.get 1 i32.ge_u br_if 2",
        "byte by byte",
    ),
    "a byte is read before the end is asked for": (
        "loop",
        "loop local.get 0 local.get 2 i32.add i32.load8_u 0 local.set 3",
        "byte by byte",
    ),
    "another byte": (
        "i32.add i32.load8_u 0 local.set 3",
        "i32.add i32.load8_u 1 local.set 3",
        "does not go on by its automaton",
    ),
    "a state is not checked": ("i32.const 3 i32.ge_u br_if 2", "drop", "does not belong"),
    "a state may be one more": (
        "i32.const 3 i32.ge_u br_if 2",
        "i32.const 3 i32.gt_u br_if 2",
        "is not checked",
    ),
    "a state is checked with a sign": (
        "i32.const 3 i32.ge_u br_if 2",
        "i32.const 3 i32.ge_s br_if 2",
        "is not checked",
    ),
    "a state ends the text": (
        "i32.const 3 i32.ge_u br_if 2",
        "i32.const 3 i32.ge_u br_if 1",
        "is not checked",
    ),
    "more states than there are": (
        "i32.const 3 i32.ge_u",
        "i32.const 4 i32.ge_u",
        "not valid is not refused",
    ),
    "another table": ("i32.load16_u 256", "i32.load16_u 258", "is not checked"),
    "another shift": (
        "i32.const 2 i32.shl",
        "i32.const 3 i32.shl",
        "not valid is not refused",
    ),
    "another state": (
        "local.get 4 i32.const 2",
        "local.get 5 i32.const 2",
        "is not checked",
    ),
    "a state is kept": ("local.tee 4", "local.tee 3", "is not checked"),
    "the byte instead of its symbol": (
        "local.get 3 i32.load8_u 0 i32.add",
        "local.get 3 i32.add",
        "is not checked",
    ),
    "a symbol of the state": (
        "local.get 3 i32.load8_u 0",
        "local.get 4 i32.load8_u 0",
        "is not checked",
    ),
    "no copy": (f"local.get 2 local.get 3 i32.store8 {COPY_A}", "", "something else than a copy"),
    "a copy of something else": (
        f"local.get 3 i32.store8 {COPY_A}",
        f"local.get 2 i32.store8 {COPY_A}",
        "something else than a copy",
    ),
    "a copy elsewhere": (
        f"i32.store8 {COPY_A}",
        f"i32.store8 {COPY_A + 1}",
        "something else for the length",
    ),
    "a copy into the tables": (
        f"i32.store8 {COPY_A}",
        "i32.store8 7",
        "something else for the length",
    ),
    "two copies": (
        f"local.get 2 local.get 3 i32.store8 {COPY_A}",
        f"local.get 2 local.get 3 i32.store8 {COPY_A} local.get 2 local.get 3 i32.store8 {COPY_B}",
        "something else than a copy",
    ),
    "a copy at a place of its own": (
        f"local.get 2 local.get 3 i32.store8 {COPY_A}",
        f"local.get 3 local.get 3 i32.store8 {COPY_A}",
        "something else than a copy",
    ),
    "a copy before a state is checked": (
        "local.set 3",
        f"local.set 3 local.get 2 local.get 3 i32.store8 {COPY_A}",
        "something else than a copy",
    ),
    "compared with itself": (
        f"i32.load8_u {COPY_B}",
        f"i32.load8_u {COPY_A}",
        "something else for the length",
    ),
    "differences are forgotten": ("i32.xor i32.or", "i32.xor i32.and", "gather the difference"),
    "differences of something else": ("i32.xor i32.or", "i32.and i32.or", "gather the difference"),
    "a variable is set in the loop": (
        "br 0 end end",
        "i32.const 0 global.set 0 br 0 end end",
        "too early",
    ),
    "validity is not asked for": (
        wasm_scans.class_of("VALID", VALID, 4) + " i32.eqz br_if 0",
        "",
        "not valid is not refused",
    ),
    "what is valid is refused": (
        "i32.eqz br_if 0",
        "i32.const 1 i32.eq br_if 0",
        "not valid is not refused",
    ),
    "validity of another state": (
        wasm_scans.class_of("VALID", VALID, 4),
        wasm_scans.class_of("VALID", VALID, 5),
        "not valid is not refused",
    ),
    "classes change places": (
        "global.set 0 local.get 6",
        "global.set 1 local.get 6",
        "its own variables are set",
    ),
    "a class of another state": (
        wasm_scans.class_of("ONLY_A", ONLY_A, 6),
        wasm_scans.class_of("ENDS_IN_B", ENDS_IN_B, 5),
        "states and columns do not fit",
    ),
    "a class from elsewhere": (
        wasm_scans.class_of("ONLY_A", ONLY_A, 6),
        "i32.const 1",
        "a class is another",
    ),
    "a class is added to": (
        wasm_scans.class_of("ONLY_A", ONLY_A, 6),
        wasm_scans.class_of("ONLY_A", ONLY_A, 6) + " i32.const 1 i32.add",
        "a class is another",
    ),
    "no length": ("local.get 1 global.set 4", "", "its own variables are set"),
    "another length": (
        "local.get 1 global.set 4",
        "local.get 2 global.set 4",
        "length is not kept",
    ),
    "a pair of equal lengths": (
        "local.get 7 i32.eqz global",
        "i32.const 1 global",
        "a pair is not",
    ),
    "a pair whatever the lengths": (
        "local.get 1 i32.eq i32.and",
        "local.get 1 i32.eq i32.or",
        "a pair is not",
    ),
    "a pair before both are there": (
        "i32.const -1 i32.eq select",
        "i32.const -2 i32.eq select",
        "a pair is not",
    ),
    "a pair of another length": (
        "global.get 5 local.get 1 i32.eq",
        "global.get 4 local.get 1 i32.eq",
        "a pair is not",
    ),
    "a pair that is unset otherwise": (
        "global.set 4 i32.const 2",
        "global.set 4 i32.const 0",
        "a pair is not",
    ),
    "a pair of the own length": (
        "global.get 5",
        "global.get 4",
        "a pair is not what its texts are",
    ),
    "nothing is refused": (
        "i32.const 0 return end i32.const -1",
        "i32.const 0 return end i32.const 0",
        "gives -1",
    ),
    "everything is refused": (
        "i32.const 0 return end",
        "i32.const -1 return end",
        "is not refused",
    ),
    "the loop ends itself": ("br 0 end end", "br 1 end end", "does not go on"),
    "a loop without end": (
        "local.set 2 br 0 end end",
        "local.set 2 br 0 end br 0 end",
        "blocks are others",
    ),
    "two loops": (
        SCAN_A,
        SCAN_A.replace("loop", "loop loop").replace("br 0 end", "br 0 end end"),
        "blocks are",
    ),
    "an if": (
        "br 0 end end",
        "br 0 end end local.get 1 if end",
        "blocks are others",
    ),
    "wide numbers": (
        "block",
        "i64.const 3 i64.eqz local.set 3 block",
        "does not belong into a scan",
    ),
    "wide arithmetic": (
        "block",
        "i32.const 1 i64.extend_i32_u i32.wrap_i64 local.set 3 block",
        "does not belong into a scan",
    ),
    "a value that grows": (
        "block",
        "local.get 0 local.set 3" + " local.get 3 local.get 3 i32.xor local.set 3" * 40 + " block",
        "nothing as large",
    ),
    "a read of the tables more": (
        "block",
        "local.get 0 i32.load8_u 0 local.set 3 block",
        "something else",
    ),
    "a read elsewhere in the loop": (
        "br 0 end",
        "local.get 0 i32.load8_u 0 local.set 3 br 0 end",
        "another place",
    ),
}
