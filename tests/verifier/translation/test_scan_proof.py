"""Scans held against the policy: right ones are proved, and each number of a wrong one is found out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from edge_scans import artefact_of
from ir_requests import is_valid_text, texts_near
from ir_strategies import random_policy
from tables import policy_of

from govlang.compiler import ir
from govlang.compiler.text_match import matches
from govlang.verifier.translation import scan_proof, texts
from govlang.verifier.translation.machine import Artefact, Scan
from govlang.verifier.translation.machine_run import classify
from govlang.verifier.translation.proof import Verdict
from govlang.verifier.translation.scan_proof import ScanProof, class_counts, prove_scans

PATH = ir.Field("file", ir.Kind.PATH, max_bytes=40)
TEXT = ir.Field("topic", ir.Kind.TEXT, max_bytes=16, optional=True)
OTHER = ir.Field("owner", ir.Kind.KEY, max_bytes=12)
UNREAD = ir.Field("note", ir.Kind.TEXT, max_bytes=99)
UNDER = ir.Pattern(ir.PatternKind.UNDER, "etc/")
GLOB = ir.Pattern(ir.PatternKind.GLOB, "*.é/**")
LITERAL = ir.Pattern(ir.PatternKind.LITERAL, "infra.delete")


def texts_policy() -> ir.Policy:
    held = ir.Or((ir.TextTest("file", (UNDER, GLOB)), ir.TextTest("topic", (LITERAL,))))
    same = ir.TextEqual("owner", "topic")
    return policy_of(
        PATH,
        TEXT,
        OTHER,
        UNREAD,
        rules=(ir.Rule("a", held, ir.Effect.DENY), ir.Rule("b", same, ir.Effect.DENY)),
    )


def verdicts(proof: ScanProof) -> set[Verdict]:
    return {one.verdict for one in proof.obligations}


def with_scan(artefact: Artefact, scan: Scan) -> Artefact:
    return replace(artefact, scans={**artefact.scans, scan.field: scan})


def test_right_scans_are_proved() -> None:
    policy = texts_policy()
    proof = prove_scans(policy, artefact_of(policy))
    assert proof.faults == ()
    assert verdicts(proof) == {Verdict.PROVED}
    assert proof.texts["note"].columns == ()
    assert {UNDER, GLOB} == set(proof.texts["file"].decided)


@pytest.mark.parametrize("seed", range(30))
def test_scans_of_random_policies_are_proved_and_classes_tell_what_matches(seed: int) -> None:
    rng = random.Random(seed)
    policy = random_policy(rng)
    artefact = artefact_of(policy)
    proof = prove_scans(policy, artefact)
    assert proof.faults == ()
    for name, model in proof.texts.items():
        one = policy.field(name)
        for pattern, (column, spans) in model.decided.items():
            part = int(list(artefact.variables)[column].rpartition(".")[2])
            for text in texts_near(pattern, one.separator):
                found = classify(artefact.scans[name], text.encode())
                assert (found is not None) == is_valid_text(one, text)
                if found is not None:
                    inside = any(lo <= found[part] <= hi for lo, hi in spans)
                    assert inside == matches(pattern, text, one.separator)


def test_classes_are_counted_over_all_states() -> None:
    policy = texts_policy()
    artefact = artefact_of(policy)
    assert class_counts(artefact.scans) == {
        name: unset for name, unset in artefact.unset.items() if name.startswith("class.")
    }


def test_two_automata_of_a_text_decide_its_patterns_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("govlang.compiler.text_classes.STATES_MAX", 8)
    monkeypatch.setattr("govlang.compiler.automata.STATES_MAX", 8)
    words = tuple(ir.Pattern(ir.PatternKind.LITERAL, word) for word in ("abcd", "wxyz", "12345"))
    policy = policy_of(TEXT, rules=(ir.Rule("a", ir.TextTest("topic", words), ir.Effect.DENY),))
    artefact = artefact_of(policy)
    assert len(artefact.scans["topic"].columns) > 1
    proof = prove_scans(policy, artefact)
    assert proof.faults == ()
    assert set(proof.texts["topic"].decided) == set(words)


# --- faults with a text --------------------------------------------------------------------------


def test_a_larger_size_is_refuted_by_a_text_that_is_too_long() -> None:
    policy = texts_policy()
    artefact = artefact_of(policy)
    scan = replace(artefact.scans["topic"], max_bytes=17)
    (fault,) = prove_scans(policy, with_scan(artefact, scan)).faults
    assert (fault.field, fault.texts) == ("topic", (b"a" * 17,))
    assert classify(scan, fault.texts[0]) is not None


def test_a_text_rule_for_a_path_is_refuted_by_a_text_that_is_no_path() -> None:
    policy = texts_policy()
    artefact = artefact_of(policy)
    loose = replace(artefact.scans["file"], validity=artefact.scans["topic"].validity)
    (fault,) = prove_scans(policy, with_scan(artefact, loose)).faults
    assert fault.texts == (b"",), "the empty path is the shortest text that only one side takes"
    assert fault.refutation().what == "`file`: a text that is not valid is taken: b''"


def test_a_pattern_that_the_classes_do_not_tell_is_refuted_by_two_texts() -> None:
    policy = texts_policy()
    artefact = artefact_of(policy)
    other = ir.Pattern(ir.PatternKind.UNDER, "etc/x")
    changed = replace(
        policy, rules=(replace(policy.rules[0], condition=ir.TextTest("file", (other,))),)
    )
    scans = {"file": artefact.scans["file"]}
    (fault,) = prove_scans(changed, replace(artefact, scans=scans)).faults
    inside, outside = (text.decode() for text in fault.texts)
    assert matches(other, inside, "/")
    assert not matches(other, outside, "/")
    assert classify(scans["file"], fault.texts[0]) == classify(scans["file"], fault.texts[1])


# --- faults that are named -----------------------------------------------------------------------


def without(artefact: Artefact, name: str) -> Artefact:
    return replace(artefact, scans={n: s for n, s in artefact.scans.items() if n != name})


ODD = {
    "a missing scan": (lambda a: without(a, "owner"), "is read, but has no scan"),
    "a scan of a text that nobody reads": (
        lambda a: replace(a, scans={**a.scans, "note": replace(a.scans["owner"], field="note")}),
        "has a scan, but is not read",
    ),
    "a scan under another name": (
        lambda a: replace(a, scans={**a.scans, "owner": replace(a.scans["owner"], field="topic")}),
        "has the scan of `topic`",
    ),
    "no pair": (
        lambda a: with_scan(a, replace(a.scans["owner"], pairs=())),
        "is compared with nothing by its scan",
    ),
    "a pair with another text": (
        lambda a: with_scan(a, replace(a.scans["owner"], pairs=("file",))),
        "is compared with `file` by its scan",
    ),
    "a pair twice": (
        lambda a: with_scan(a, replace(a.scans["owner"], pairs=("topic", "topic"))),
        "is compared with `topic`, `topic` by its scan",
    ),
    "classes that nobody asked for": (
        lambda a: with_scan(a, replace(a.scans["owner"], columns=a.scans["file"].columns)),
        "has classes, but no rule holds it against a pattern",
    ),
    "another number of classes": (
        lambda a: replace(a, unset={**a.unset, "class.topic.0": 1}),
        "`class.topic.0` is 1 before a host sets it, must be 2, the number of its classes",
    ),
    "a third word for validity": (
        lambda a: with_scan(a, changed(a.scans["owner"], None, "classes", 0, 2)),
        "the automaton of valid texts has a class that is neither 0 nor 1",
    ),
}


def changed(scan: Scan, column: int | None, part: str, at: int, value: int) -> Scan:
    """A scan with one number of one automaton changed; the automaton of valid texts is None."""
    old = scan.validity if column is None else scan.columns[column]
    numbers = list(getattr(old, part))
    numbers[at] = value
    new = replace(old, **{part: tuple(numbers)})
    if column is None:
        return replace(scan, validity=new)
    return replace(
        scan, columns=tuple(new if k == column else c for k, c in enumerate(scan.columns))
    )


@pytest.mark.parametrize("name", ODD)
def test_an_odd_scan_is_named(name: str) -> None:
    change, what = ODD[name]
    policy = texts_policy()
    proof = prove_scans(policy, change(artefact_of(policy)))
    assert what in [fault.what for fault in proof.faults]
    assert Verdict.REFUTED in verdicts(proof)


def test_too_many_states_of_texts_are_undecided_and_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = texts_policy()
    for place in (f"{texts.__name__}.STATES_MAX", f"{scan_proof.__name__}._PLACES_MAX"):
        with monkeypatch.context() as patch:
            patch.setattr(place, 3)
            texts._cells.cache_clear()
            proof = prove_scans(policy, artefact_of(policy))
        assert Verdict.UNDECIDED in verdicts(proof)
        assert Verdict.REFUTED not in verdicts(proof)


# --- every number --------------------------------------------------------------------------------


def mutants(scan: Scan, rng: random.Random, count: int) -> Iterator[Scan]:
    """Scans with one number changed: of an automaton, most often in a place that is used."""
    automata = [None, *range(len(scan.columns))]
    for _ in range(count):
        column = rng.choice(automata)
        automaton = scan.validity if column is None else scan.columns[column]
        part = rng.choice(("symbol", "next", "next", "classes"))
        numbers = getattr(automaton, part)
        size = automaton.states << automaton.shift if part == "next" else len(numbers)
        at = rng.randrange(size)
        value = rng.choice(
            (numbers[at] ^ 1, numbers[at] + 1, 0, rng.choice(numbers), 255, automaton.states)
        )
        if value != numbers[at]:
            yield changed(scan, column, part, at, value)


def judged(policy: ir.Policy, scan: Scan, mutant: Scan, artefact: Artefact) -> str:
    """What became of a mutant; one that is proved must treat texts as the scan of the policy."""
    proof = prove_scans(policy, with_scan(artefact, mutant))
    if Verdict.REFUTED in verdicts(proof):
        shown = [fault for fault in proof.faults if fault.texts]
        for fault in shown:
            assert differs(policy.field(scan.field), mutant, fault.texts), fault
        return "shown" if shown else "named"
    if Verdict.UNDECIDED in verdicts(proof):
        return "undecided"
    assert tells_apart(policy, scan, proof, mutant)
    return "equal"


def differs(one: ir.Field, mutant: Scan, shown: tuple[bytes, ...]) -> bool:
    """Whether texts show a fault: validity for one, classes for two."""
    found = [classify(mutant, text) for text in shown]
    if len(shown) == 2:
        return found[0] is not None and found[0] == found[1]
    return (found[0] is not None) != valid(one, shown[0])


def valid(one: ir.Field, text: bytes) -> bool:
    try:
        return is_valid_text(one, text.decode())
    except UnicodeDecodeError:
        return False


def tells_apart(policy: ir.Policy, scan: Scan, proof: ScanProof, mutant: Scan) -> bool:
    """Whether a mutant takes the same texts, and its classes tell the patterns of the policy."""
    one = policy.field(scan.field)
    decided = proof.texts[scan.field].decided
    names = list(artefact_of(policy).variables)
    for pattern, (column, spans) in decided.items():
        part = int(names[column].rpartition(".")[2])
        for text in (t for t in texts_near(pattern, one.separator) if is_valid_text(one, t)):
            found = classify(mutant, text.encode())
            if found is None:
                return False
            if any(lo <= found[part] <= hi for lo, hi in spans) != matches(
                pattern, text, one.separator
            ):
                return False
    return True


def fates(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    policy = texts_policy() if seed % 2 else random_policy(rng)
    artefact = artefact_of(policy)
    return [
        judged(policy, scan, mutant, artefact)
        for scan in artefact.scans.values()
        for mutant in mutants(scan, rng, count)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_changed_number_is_shown_by_texts_or_named_or_changes_nothing(seed: int) -> None:
    found = fates(seed, 30)
    assert found.count("undecided") <= 0.1 * len(found)


def test_mutants_are_shown_by_texts_as_well_as_named() -> None:
    found = fates(1, 60)
    assert {"shown", "named"} <= set(found)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 124))
def test_many_changed_numbers_are_shown_by_texts_or_named_or_change_nothing(seed: int) -> None:
    found = fates(seed, 40)
    assert found.count("undecided") <= 0.1 * len(found)
