"""Scans of texts written by hand from docs/edge.md, and a model of what a host sees of them.

`two_texts()` is a module with the texts `a`, held against patterns in two columns, and `b`, which is
only compared with `a`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from wasm_assembler import Wasm

from govlang.verifier.translation.machine import Artefact, Automaton
from govlang.verifier.translation.machine_run import classify

CLASS_0, CLASS_1, SAME, DECISION, LENGTH_A, LENGTH_B = range(6)
MAX_A, MAX_B = 9, 5
PAGES = 1


def automaton(classes: tuple[int, ...], moves: dict[tuple[int, str], int]) -> Automaton:
    """States over the letters `a` and `b`, all other bytes being a third; no move: the last state."""
    symbol = [2] * 256
    symbol[ord("a")], symbol[ord("b")] = 0, 1
    table = [len(classes) - 1] * (len(classes) << 2) + [0] * 256
    for (state, letter), target in moves.items():
        table[(state << 2) + "ab".index(letter)] = target
    return Automaton(tuple(symbol), tuple(table), classes, 2, len(classes))


VALID = automaton((1, 1, 0), {(0, "a"): 0, (0, "b"): 1, (1, "a"): 0, (1, "b"): 0})
ENDS_IN_B = automaton((0, 1, 0), {(0, "a"): 0, (0, "b"): 1, (1, "a"): 0, (1, "b"): 1})
ONLY_A = automaton((1, 0), {(0, "a"): 0})


def automaton_bytes(one: Automaton) -> bytes:
    """An automaton as it stands in the memory."""
    words = (*one.next, *one.classes)
    return bytes(one.symbol) + struct.pack(f"<{len(words)}H", *words)


def size(one: Automaton) -> int:
    """The bytes of an automaton."""
    return len(automaton_bytes(one))


AT = {"VALID": 0, "ENDS_IN_B": size(VALID), "ONLY_A": size(VALID) + size(ENDS_IN_B)}
DATA = b"".join(map(automaton_bytes, (VALID, ENDS_IN_B, ONLY_A)))
COPY_A, COPY_B = len(DATA), len(DATA) + MAX_A
TEXT = -(-(COPY_B + MAX_A) // 8) * 8


def advance(name: str, one: Automaton, local: int) -> str:
    """A state goes on; byte in local 3, and 1 further out stands what is refused."""
    at = AT[name]
    return (
        f"local.get {local} i32.const {one.shift} i32.shl local.get 3 i32.load8_u {at} i32.add"
        f" i32.const 1 i32.shl i32.load16_u {at + 256} local.tee {local}"
        f" i32.const {one.states} i32.ge_u br_if 2"
    )


def class_of(name: str, one: Automaton, local: int) -> str:
    """The class of a state."""
    at = AT[name] + 256 + 2 * len(one.next)
    return f"local.get {local} i32.const 1 i32.shl i32.load16_u {at}"


def same(differ: int, other: int) -> str:
    """The pair once both texts are there."""
    return (
        f"i32.const 2 local.get {differ} i32.eqz global.get {other} local.get 1 i32.eq i32.and"
        f" global.get {other} i32.const -1 i32.eq select global.set {SAME}"
    )


def compare(differ: int, theirs: int, own: int) -> str:
    """The difference to the other text, and the copy."""
    return (
        f"local.get {differ} local.get 2 i32.load8_u {theirs} local.get 3 i32.xor i32.or"
        f" local.set {differ} local.get 2 local.get 3 i32.store8 {own}"
    )


HEAD = "block local.get 1 i32.const MAX i32.gt_u br_if 0"
HEAD += f" local.get 0 i32.const {PAGES * 65536} local.get 1 i32.sub i32.gt_u br_if 0"
HEAD += " block loop local.get 2 local.get 1 i32.ge_u br_if 1"
HEAD += " local.get 0 local.get 2 i32.add i32.load8_u 0 local.set 3"
NEXT = "local.get 2 i32.const 1 i32.add local.set 2 br 0 end end"
LAST = "i32.const 0 return end i32.const -1"

SCAN_A = " ".join(
    (
        f"i32.const 3 global.set {CLASS_0} i32.const 2 global.set {CLASS_1}",
        f"i32.const 2 global.set {SAME} i32.const -1 global.set {LENGTH_A}",
        HEAD.replace("MAX", str(MAX_A)),
        advance("VALID", VALID, 4),
        advance("ENDS_IN_B", ENDS_IN_B, 5),
        advance("ONLY_A", ONLY_A, 6),
        compare(7, COPY_B, COPY_A),
        NEXT,
        class_of("VALID", VALID, 4) + " i32.eqz br_if 0",
        class_of("ENDS_IN_B", ENDS_IN_B, 5) + f" global.set {CLASS_0}",
        class_of("ONLY_A", ONLY_A, 6) + f" global.set {CLASS_1}",
        f"local.get 1 global.set {LENGTH_A}",
        same(7, LENGTH_B),
        LAST,
    )
)
SCAN_B = " ".join(
    (
        f"i32.const 2 global.set {SAME} i32.const -1 global.set {LENGTH_B}",
        HEAD.replace("MAX", str(MAX_B)),
        advance("VALID", VALID, 4),
        compare(5, COPY_A, COPY_B),
        NEXT,
        class_of("VALID", VALID, 4) + " i32.eqz br_if 0",
        f"local.get 1 global.set {LENGTH_B}",
        same(5, LENGTH_A),
        LAST,
    )
)


def two_texts(
    a: str = SCAN_A, b: str = SCAN_B, data: bytes = DATA, text: int = TEXT, pages: int = PAGES
) -> Wasm:
    """The module with the texts `a` and `b`."""
    variables = {"class.a.0": ("i32", 3), "class.a.1": ("i32", 2), "same.a.b": ("i32", 2)}
    step = "global.get 0 global.get 2 i32.add global.set 3 i32.const 0"
    return Wasm(
        variables,
        decide=step,
        scans={"a": a, "b": b},
        scan_locals=6,
        lengths=2,
        pages=pages,
        data=data,
        text=text,
    )


def lone_scan() -> str:
    """The scan of a text that is neither classified nor compared, only checked."""
    code = SCAN_B
    for part in (
        "i32.const 2 global.set 2 i32.const -1 global.set 5",
        compare(5, COPY_A, COPY_B),
        same(5, 4),
        "local.get 1 global.set 5",
    ):
        assert part in code
        code = code.replace(part, "")
    return code


def lone_text(code: str | None = None) -> Wasm:
    """The module of that text alone."""
    end = size(VALID)
    return Wasm(
        scans={"b": code or lone_scan()},
        scan_locals=4,
        pages=1,
        data=DATA[:end],
        text=-(-end // 8) * 8,
    )


# --- what a host sees ----------------------------------------------------------------------------


@dataclass
class Texts:
    """What the variables of texts hold after texts were taken in, by docs/edge.md."""

    artefact: Artefact
    taken: dict[str, bytes] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unset = self.artefact.unset
        self.values = {n: v for n, v in unset.items() if n.startswith(("class.", "same."))}

    def classify(self, name: str, text: bytes, room: int) -> int:
        """What the scan of a text returns; `room` is what the memory has behind its beginning."""
        scan = self.artefact.scans[name]
        found = classify(scan, text[: max(room, 0)]) if len(text) <= room else None
        self.taken.pop(name, None)
        for column in range(len(scan.columns)):
            one = f"class.{name}.{column}"
            self.values[one] = self.artefact.unset[one] if found is None else found[column]
        if found is not None:
            self.taken[name] = text
        for other in scan.pairs:
            both = name in self.taken and other in self.taken
            equal = self.taken.get(name) == self.taken.get(other)
            self.values["same.{}.{}".format(*sorted((name, other)))] = int(equal) if both else 2
        return -1 if found is None else 0
