"""The scans of an edge artefact against the policy: which texts are valid, and what their classes say.

In: a policy and a decoded artefact, whose scans have the code of docs/edge.md.  Out: what was proved of
their automata; the class columns with the patterns that they tell apart, for `machine_proof.py`; and
what is wrong, with texts that show it where there are such.

Valid texts are RFC 3629 and, in a path, the rule of segments, as `texts.py` has them.  What always
holds: a fault with texts was run through the scan (`machine_run.classify`) and shows itself there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

from govlang.compiler import ir
from govlang.compiler.text_match import matches
from govlang.verifier.letters import is_valid
from govlang.verifier.translation import decode
from govlang.verifier.translation.machine import Artefact, Automaton, Scan
from govlang.verifier.translation.machine_run import classify
from govlang.verifier.translation.proof import Obligation, Refutation, Verdict
from govlang.verifier.translation.source import (
    ClassColumn,
    TextModel,
    conditions_read,
    patterns_read,
    text_model,
)
from govlang.verifier.translation.texts import FOLLOWS, TooManyTextsError, segment_after

_BYTES: Final = 256
_SHIFT_MAX: Final = 8
_PLACES_MAX: Final = 200_000
"""The most pairs of states that a search for a text looks at; right validity automata have some 40."""


@dataclass(frozen=True, slots=True)
class TextFault:
    """Something wrong with the scan of a field; `texts` show it, if any do."""

    field: str
    what: str
    texts: tuple[bytes, ...] = ()
    verdict: Verdict = Verdict.REFUTED

    def refutation(self) -> Refutation:
        """The fault as what refutes an artefact."""
        return Refutation(f"`{self.field}`: {self.what}")


@dataclass(frozen=True, slots=True)
class ScanProof:
    """What was proved of all scans; `texts` is empty where a scan is too odd to be walked."""

    obligations: tuple[Obligation, ...]
    faults: tuple[TextFault, ...]
    texts: Mapping[str, TextModel]


def prove_scans(policy: ir.Policy, artefact: Artefact) -> ScanProof:
    """Prove that scans accept the valid texts and that their classes tell which patterns match.

    `ClassColumn.column` is the number of `class.F.k` among the variables of the artefact.
    """
    shape = list(_shape(policy, artefact))
    texts: Mapping[str, TextModel] = {}
    validity: list[TextFault] = []
    classes: list[TextFault] = []
    scans = [artefact.scans[name] for name in sorted(artefact.scans)]
    if not shape:
        number = {name: i for i, name in enumerate(artefact.variables)}
        try:
            validity = [fault for scan in scans for fault in _validity(policy, scan)]
            texts = scan_columns(policy, artefact.scans, number)
            classes = [fault for scan in scans for fault in _undecided(policy, scan, texts)]
        except TooManyTextsError:
            why = "there are too many states of texts and automaton"
            classes = [TextFault("", why, verdict=Verdict.UNDECIDED)]
    patterns = sum(len(patterns) for _, patterns in patterns_read(policy))
    return ScanProof(
        (
            _obligation("scans", "comparison", len(scans), shape),
            _obligation("valid texts", "product of automata", len(scans), [*shape, *validity]),
            _obligation("text classes", "product of automata", patterns, [*shape, *classes]),
        ),
        (*shape, *validity, *classes),
        texts,
    )


def _obligation(name: str, method: str, count: int, faults: Sequence[TextFault]) -> Obligation:
    verdict = Verdict.PROVED
    if faults:
        refuted = any(fault.verdict is Verdict.REFUTED for fault in faults)
        verdict = Verdict.REFUTED if refuted else Verdict.UNDECIDED
    return Obligation(name, verdict, method, count, tuple(fault.what for fault in faults))


def scan_columns(
    policy: ir.Policy, scans: Mapping[str, Scan], number: Mapping[str, int]
) -> dict[str, TextModel]:
    """Every text field with its class columns; `number` gives the column of each `class.F.k`.

    Scans must have the shape that `prove_scans` finds without fault.

    Raises:
        TooManyTextsError: there are too many states.
    """
    found = {}
    for place, (one, patterns) in enumerate(patterns_read(policy)):
        if one.is_text:
            columns = scans[one.name].columns if one.name in scans else ()
            automata = [
                _plain(automaton, place, number[f"class.{one.name}.{k}"])
                for k, automaton in enumerate(columns)
            ]
            found[one.name] = text_model(one, automata, patterns)
    return found


def class_counts(scans: Mapping[str, Scan]) -> dict[str, int]:
    """How many classes each `class.F.k` has."""
    return {
        f"class.{scan.field}.{k}": max(automaton.classes) + 1
        for scan in scans.values()
        for k, automaton in enumerate(scan.columns)
    }


def _plain(automaton: Automaton, field: int, column: int) -> decode.Automaton:
    """The automaton without its padding, in the form of a table's."""
    edges = automaton.next[: automaton.states << automaton.shift]
    return decode.Automaton(
        field, column, automaton.symbol, edges, automaton.shift, automaton.classes
    )


# --- the shape -----------------------------------------------------------------------------------


def _shape(policy: ir.Policy, artefact: Artefact) -> Iterator[TextFault]:
    """What is odd about the scans: who has one, sizes, pairs, numbers outside their range."""
    held, partners = _held(policy), _partners(policy)
    read = held | partners.keys()
    for name in sorted(read ^ artefact.scans.keys()):
        yield TextFault(
            name, "is read, but has no scan" if name in read else "has a scan, but is not read"
        )
    for name in sorted(read & artefact.scans.keys()):
        scan, one = artefact.scans[name], policy.field(name)
        if scan.field != name:
            yield TextFault(name, f"has the scan of `{scan.field}`")
        if scan.max_bytes != one.max_bytes:
            yield _size_fault(one, scan)
        if sorted(scan.pairs) != sorted(partners.get(name, ())):
            yield TextFault(name, f"is compared with {_listed(scan.pairs)} by its scan")
        if scan.columns and name not in held:
            yield TextFault(name, "has classes, but no rule holds it against a pattern")
        yield from _automata(one, scan, artefact.unset)


def _held(policy: ir.Policy) -> set[str]:
    """The texts that decisions hold against patterns."""
    found = (atom for one in conditions_read(policy) for atom in ir.atoms(one))
    return {atom.name for atom in found if isinstance(atom, ir.TextTest)}


def _partners(policy: ir.Policy) -> dict[str, set[str]]:
    """The texts that decisions compare, each with those that it is compared with."""
    found: dict[str, set[str]] = {}
    for condition in conditions_read(policy):
        for atom in ir.atoms(condition):
            if isinstance(atom, ir.TextEqual):
                found.setdefault(atom.left, set()).add(atom.right)
                found.setdefault(atom.right, set()).add(atom.left)
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _size_fault(one: ir.Field, scan: Scan) -> TextFault:
    """The shortest text that only one side takes."""
    text = b"a" * (min(one.max_bytes, scan.max_bytes) + 1)
    what = f"takes {scan.max_bytes} bytes, must be {one.max_bytes}"
    shown = _well_formed(scan) and (classify(scan, text) is not None) != is_valid(one, text)
    return TextFault(one.name, what, (text,) if shown else ())


def _well_formed(scan: Scan) -> bool:
    return not any(map(list, map(_odd, (scan.validity, *scan.columns))))


def _automata(one: ir.Field, scan: Scan, unset: Mapping[str, int]) -> Iterator[TextFault]:
    """Numbers of the automata that lead nowhere or mean nothing."""
    for what in _odd(scan.validity):
        yield TextFault(one.name, f"the automaton of valid texts has {what}")
    if any(accepted not in (0, 1) for accepted in scan.validity.classes):
        yield TextFault(
            one.name, "the automaton of valid texts has a class that is neither 0 nor 1"
        )
    for k, automaton in enumerate(scan.columns):
        for what in _odd(automaton):
            yield TextFault(one.name, f"automaton {k} has {what}")
        count, told = max(automaton.classes, default=-1) + 1, unset.get(f"class.{one.name}.{k}")
        if told != count:
            what = f"`class.{one.name}.{k}` is {told} before a host sets it, must be {count}"
            yield TextFault(one.name, f"{what}, the number of its classes")


def _odd(automaton: Automaton) -> Iterator[str]:
    """What an automaton of docs/edge.md never has."""
    states, shift = automaton.states, automaton.shift
    if states < 1 or not 0 <= shift <= _SHIFT_MAX or len(automaton.symbol) != _BYTES:
        yield "no states, or not a symbol for each byte"
    elif len(automaton.next) < states << shift or len(automaton.classes) != states:
        yield "fewer edges or other classes than it has states"
    elif any(not 0 <= symbol < 1 << shift for symbol in automaton.symbol):
        yield f"a symbol beyond {(1 << shift) - 1}"
    elif any(not 0 <= to < states for to in automaton.next):
        yield f"an edge that leads beyond its {states} states"


# --- valid texts ---------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _utf8() -> dict[int, dict[int, int]]:
    """The machine of valid UTF-8: state → byte → state; what is missing is not valid."""
    return {
        state: {byte: to for group, to in ways for byte in group} for state, ways in FOLLOWS.items()
    }


_Valid = tuple[int, str]
"""Where a text stands: in a character of UTF-8, and in a segment."""


def _begin(kind: ir.Kind) -> _Valid:
    return 0, "" if kind is ir.Kind.PATH else "x"


def _step(kind: ir.Kind, valid: _Valid | None, byte: int) -> _Valid | None:
    """After one more byte; None once no text that begins so is valid."""
    utf8 = None if valid is None else _utf8()[valid[0]].get(byte)
    if valid is None or utf8 is None:
        return None
    segment = segment_after(valid[1], byte) if kind is ir.Kind.PATH else "x"
    return None if segment is None else (utf8, segment)


def _validity(policy: ir.Policy, scan: Scan) -> Iterator[TextFault]:
    """The shortest text, of those that fit, on which scan and rule of valid texts differ."""
    one = policy.field(scan.field)
    found = _first_difference(one, scan.validity)
    if found is None:
        return
    taken, valid = classify(scan, found) is not None, _is_valid(one, found)
    assert taken != valid, found
    what = "a text that is not valid is taken" if taken else "a valid text is refused"
    yield TextFault(one.name, f"{what}: {found!r}", (found,))


def _is_valid(one: ir.Field, text: bytes) -> bool:
    """The same by Python's own decoder, for what is found to be checked by another hand."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return is_valid(one, text)


def _first_difference(one: ir.Field, automaton: Automaton) -> bytes | None:
    """A shortest text that automaton and rule judge differently, by their product.

    Raises:
        TooManyTextsError: the product has too many states.
    """
    start = (0, _begin(one.kind))
    texts: dict[tuple[int, _Valid | None], bytes] = {start: b""}
    queue: list[tuple[int, _Valid | None]] = [start]
    for place in queue:
        state, valid = place
        if bool(automaton.classes[state]) != (valid is not None and valid == (0, "x")):
            return texts[place]
        if len(texts[place]) >= one.max_bytes:
            continue
        for byte in range(_BYTES):
            to = automaton.next[(state << automaton.shift) + automaton.symbol[byte]]
            after = to, _step(one.kind, valid, byte)
            if after not in texts:
                texts[after] = texts[place] + bytes([byte])
                queue.append(after)
        if len(queue) > _PLACES_MAX:
            raise TooManyTextsError
    return None


# --- classes -------------------------------------------------------------------------------------


def _undecided(
    policy: ir.Policy, scan: Scan, texts: Mapping[str, TextModel]
) -> Iterator[TextFault]:
    """Patterns of which the classes of a text do not tell whether it matches."""
    one, model = policy.field(scan.field), texts[scan.field]
    for column in model.columns:
        for index, pattern in enumerate(column.patterns):
            if pattern not in model.decided:
                yield _torn(one, scan, pattern, _pairs(column, index))


def _pairs(column: ClassColumn, index: int) -> Iterator[tuple[str, str]]:
    """Texts that match a pattern with texts of the same class that do not."""
    for inside, outside in product(column.cells, column.cells):
        alike = inside.number == outside.number
        if alike and index in inside.matched and index not in outside.matched:
            yield from product(inside.examples, outside.examples)


def _torn(
    one: ir.Field, scan: Scan, pattern: ir.Pattern, pairs: Iterator[tuple[str, str]]
) -> TextFault:
    shown = f"`{pattern.text}` ({pattern.kind.value})"
    for inside, outside in pairs:
        if _same_classes(scan, inside, outside) and _differ(one, pattern, inside, outside):
            what = f"{inside!r} and {outside!r} share their classes, but only one matches {shown}"
            return TextFault(one.name, what, (inside.encode(), outside.encode()))
    what = f"no automaton tells whether a text matches {shown}"
    return TextFault(one.name, what, verdict=Verdict.UNDECIDED)


def _same_classes(scan: Scan, left: str, right: str) -> bool:
    found = classify(scan, left.encode())
    return found is not None and found == classify(scan, right.encode())


def _differ(one: ir.Field, pattern: ir.Pattern, inside: str, outside: str) -> bool:
    separator = one.separator
    return matches(pattern, inside, separator) != matches(pattern, outside, separator)
