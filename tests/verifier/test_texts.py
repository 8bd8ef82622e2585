"""Texts in proofs: every verdict agrees with real texts, and every model has some."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

import pytest

from govlang.compiler import ir, text_classes
from govlang.compiler.automata import TextPattern
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import Effect, Pattern, PatternKind
from govlang.compiler.text_classes import (
    ClassColumn,
    TextClasses,
    build_columns,
    classify_fields,
    text_pattern,
)
from govlang.verifier import split
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.letters import is_valid
from govlang.verifier.options import Options
from govlang.verifier.report import verify
from govlang.verifier.solve import Absent, Answer, Found, Open, Session
from govlang.verifier.split import Fuel
from govlang.verifier.texts import Choices, Texts


def text(
    name: str, kind: ir.Kind = ir.Kind.TEXT, size: int = 16, *, optional: bool = False
) -> ir.Field:
    return ir.Field(name, kind, max_bytes=size, optional=optional)


def is_(name: str, *words: str) -> ir.TextTest:
    return ir.TextTest(name, tuple(Pattern(PatternKind.LITERAL, w) for w in words))


def like(name: str, *globs: str) -> ir.TextTest:
    return ir.TextTest(name, tuple(Pattern(PatternKind.GLOB, g) for g in globs))


def policy(fields: tuple[ir.Field, ...], *conditions: ir.BoolExpr) -> ir.Policy:
    rules = tuple(ir.Rule(f"r{i}", c, Effect.DENY) for i, c in enumerate(conditions))
    return ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.ALLOW, fields, rules)


def answer_for(fields: tuple[ir.Field, ...], *conditions: ir.BoolExpr) -> Answer:
    """A request on which all conditions hold, checked on the interpreter."""
    one = policy(fields, ir.conjunction(conditions))
    session = Session(Encoder(Columns(one)), 10)
    terms = [session.encoder.condition(r.condition) for r in one.rules]

    def shows(point: Point) -> bool:
        env = Environment(one, point.params, point.values)
        return all(env.holds(c) for c in conditions) and all(
            is_valid(f, str(point.values[f.name]).encode())
            for f in fields
            if f.name in point.values
        )

    answer = session.find(terms, shows)
    assert not (isinstance(answer, Open) and answer.broken)
    return answer


def some(fields: tuple[ir.Field, ...], *conditions: ir.BoolExpr) -> Point | None:
    """As `answer_for`, where there is an answer; None if there is no request."""
    answer = answer_for(fields, *conditions)
    assert isinstance(answer, Found | Absent), answer
    return answer.point if isinstance(answer, Found) else None


A, B, C = text("a"), text("b"), text("c")
SAME = ir.TextEqual("a", "b")


def test_equal_texts_have_equal_classes() -> None:
    assert some((A, B), SAME, is_("a", "x"), ir.negation(is_("b", "x"))) is None
    assert some((A, B), SAME, like("a", "x.*"), is_("b", "y")) is None
    assert some((A, B), SAME, like("a", "x.*"), like("b", "*.y")) is not None


def test_two_fields_in_a_class_of_one_text_are_equal() -> None:
    assert some((A, B), ir.negation(SAME), is_("a", "x"), is_("b", "x")) is None
    assert some((A, B), ir.negation(SAME), is_("a", "x"), is_("b", "x", "y")) is not None


def test_equality_is_transitive() -> None:
    ab, bc, ac = SAME, ir.TextEqual("b", "c"), ir.TextEqual("a", "c")
    assert some((A, B, C), ab, bc, ir.negation(ac)) is None
    assert some((A, B, C), ab, ir.negation(bc), ir.negation(ac)) is not None


def test_three_fields_do_not_fit_into_a_class_of_two_texts() -> None:
    fields = tuple(text(n, size=1) for n in "abc")
    apart = [ir.negation(ir.TextEqual(x, y)) for x, y in (("a", "b"), ("a", "c"), ("b", "c"))]
    short = [is_(n, "x", "y") for n in "abc"]
    assert some(fields, *apart, *short) is None
    assert some(fields, *apart[:2], *short) is not None


def test_a_size_too_small_for_a_class_empties_it() -> None:
    assert some((text("a", size=3),), like("a", "long.*")) is None
    assert some((text("a", size=3), text("b", size=9)), SAME, is_("b", "long")) is None


def test_a_path_has_no_empty_or_upward_segment() -> None:
    path = text("a", ir.Kind.PATH)
    assert some((path,), like("a", "**..**"), ir.negation(like("a", "**x**"))) is not None
    assert some((path,), is_("a", "src/../etc")) is None
    assert some((path,), is_("a", "/src")) is None
    assert some((path, B), SAME, is_("b", "a//b")) is None


def test_an_absent_text_equals_nothing_that_has_a_value() -> None:
    optional = text("a", optional=True)
    guarded = ir.conjunction([ir.Has("a"), SAME])
    found = some((optional, B), guarded)
    assert found is not None
    assert found.values["a"] == found.values["b"]
    assert some((optional, B), ir.negation(ir.Has("a")), is_("b", "x")) is not None


def test_a_field_with_split_patterns_gets_one_text_for_all_its_columns() -> None:
    words = tuple(f"word{i:05}suffix" for i in range(1500))
    tests = [is_("a", w) for w in words]
    one = policy((text("a", size=40),), *tests)
    assert len(classify_fields(one)["a"].columns) > 1
    session = Session(Encoder(Columns(one)), 10)
    encoder = session.encoder
    for first, second in ((0, 1499), (700, 1400)):
        both = [encoder.condition(tests[i]) for i in (first, second)]
        assert isinstance(session.find(both, lambda _: True), Absent)
        answer = session.find(both[:1], lambda p, w=words[first]: p.values["a"] == w)
        assert isinstance(answer, Found)


def test_every_class_that_has_texts_gives_valid_ones() -> None:
    path = text("p", ir.Kind.PATH, 12)
    one = policy(
        (path,), ir.TextTest("p", (Pattern(PatternKind.UNDER, "src/"),)), like("p", "*/é", "**")
    )
    classes = classify_fields(one)
    texts = Texts(classes)
    for number in texts.inhabited("p", 0):
        for found in texts.column("p", 0).of(path, number):
            assert is_valid(path, found)
            assert found.decode()
            assert classes["p"].class_of(found) == (number,)


WORDS = ("", "a", "b", "aa", "ab", "ba", "bb")


def random_condition(rng: random.Random, names: str, depth: int) -> ir.BoolExpr:
    if depth == 0 or rng.random() < 0.3:
        match rng.randrange(3):
            case 0:
                return is_(rng.choice(names), *rng.sample(WORDS, rng.randint(1, 3)))
            case 1:
                return like(rng.choice(names), rng.choice(("a*", "*b", "**", "*a*", "b**")))
            case _ if len(names) > 1:
                left, right = sorted(rng.sample(names, 2))
                return ir.TextEqual(left, right)
            case _:
                return is_(names[0], "a")
    parts = [random_condition(rng, names, depth - 1) for _ in range(rng.randint(2, 3))]
    match rng.randrange(3):
        case 0:
            return ir.conjunction(parts)
        case 1:
            return ir.disjunction(parts)
        case _:
            return ir.negation(parts[0])


@pytest.mark.parametrize("batch", range(6))
def test_what_can_hold_of_texts_is_what_holds_of_some(batch: int) -> None:
    """Texts of at most one byte over a large alphabet: a stand-in for all texts without patterns."""
    rng = random.Random(f"texts {batch}")
    alphabet = ["", *"abcdefgh"]
    for _ in range(60):
        names = "abc"[: rng.randint(1, 3)]
        fields = tuple(text(n, size=1) for n in names)
        condition = random_condition(rng, names, 2)
        one = policy(fields, condition)
        enumerated = any(
            Environment(one, {}, dict(zip(names, values, strict=True))).holds(condition)
            for values in product(alphabet, repeat=len(names))
        )
        assert (some(fields, condition) is not None) == enumerated


def test_rules_on_texts_are_verified_with_real_texts() -> None:
    deny = ir.Rule("d", like("a", "infra.**"), Effect.DENY)
    allow = ir.Rule("al", ir.conjunction([SAME, is_("b", "infra.x", "other")]), Effect.ALLOW)
    one = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (A, B), (deny, allow))
    found = [f for f in verify(one).findings if f.code == "GOV301"]
    assert len(found) == 1
    assert found[0].witness is not None
    assert found[0].witness.request == {"a": "infra.x", "b": "infra.x"}


def split_texts(first: str, second: str) -> tuple[Texts, list[int]]:
    """A field with two globs, each of which has an automaton of its own, and the classes of both."""
    field = text("a", size=8)
    patterns = [Pattern(PatternKind.GLOB, glob) for glob in (first, second)]
    columns = tuple(build_columns((text_pattern(p, field),), "a")[0] for p in patterns)
    both = TextClasses(field, columns)
    wanted = [
        next(iter(column.accepting[text_pattern(p, field)]))
        for column, p in zip(columns, patterns, strict=True)
    ]
    return Texts({"a": both}), wanted


def split_choices(first: str, second: str) -> Choices:
    """Texts that match both globs."""
    texts, wanted = split_texts(first, second)
    return texts.choices("a", wanted)


def test_a_text_of_two_automata_is_found_but_never_taken_for_the_only_one() -> None:
    found = split_choices("abc**", "**xyz")
    assert found.texts[0] == b"abcxyz"
    assert not found.enough


def test_automata_that_share_no_text_are_searched_to_the_end() -> None:
    assert split_choices("abc**", "xyz**") == Choices((), enough=True)


def test_a_search_that_runs_out_of_fuel_or_time_proves_nothing() -> None:
    assert split_choices("**abcdef", "**abcdeg") == Choices((), enough=True)
    for spent in (Fuel(question=0), Fuel(deadline=0.0)):
        texts, wanted = split_texts("**abcdef", "**abcdeg")
        texts.fuel = spent
        assert texts.choices("a", wanted) == Choices((), enough=False)
        assert texts.companions("a", 0, wanted[0]) is None


def test_a_question_whose_search_runs_out_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_classes, "build_columns", one_column_each)
    monkeypatch.setattr(split, "PATTERNS_MAX", 0)
    monkeypatch.setattr(split, "QUESTION_FUEL", 0)
    tests = [like("a", "**abcdef"), like("a", "**abcdeg")]
    session = Session(Encoder(Columns(policy((A,), *tests))), 10)
    both = [session.encoder.condition(one) for one in tests]
    assert isinstance(session.find(both, lambda _: True), Open)
    assert isinstance(session.find(both[:1], lambda _: True), Found)


def test_many_globs_are_verified_within_the_fuel_with_the_smallest_covers() -> None:
    one = policy((text("t", size=256),), *(like("t", f"**word{i}**") for i in range(25)))
    assert len(classify_fields(one)["t"].columns) > 1
    report = verify(one, options=Options(timeout_s=5))
    assert not [f for f in report.findings if f.code == "GOV309"]
    covers = {
        f.rules: (f.detail or {}).get("covered_by") for f in report.findings if f.code == "GOV302"
    }
    assert len(covers) == 15
    for i in range(10, 25):
        assert covers[f"r{i}",] == [f"r{i // 10}"]


def one_column_each(patterns: Sequence[TextPattern], field: str) -> tuple[ClassColumn, ...]:
    """Columns as if no automaton could hold two patterns."""
    return tuple(build_columns((one,), field)[0] for one in patterns)


def pairs_of_columns(patterns: Sequence[TextPattern], field: str) -> tuple[ClassColumn, ...]:
    """Columns as if no automaton could hold three patterns."""
    return tuple(build_columns(patterns[i : i + 2], field)[0] for i in range(0, len(patterns), 2))


GLOBS = (
    "a*",
    "*b",
    "**a**",
    "**ab**",
    "*",
    "**b",
    "a**b",
    "*.*",
    "**.a",
    "ab",
    "b.a",
    "**bb**",
    "",
)


def random_globs(rng: random.Random, names: str) -> ir.BoolExpr:
    """Some globs, matched or not, and fields that are equal or not."""
    parts: list[ir.BoolExpr] = []
    for glob in rng.sample(GLOBS, rng.randint(3, 6)):
        test = like(rng.choice(names), *{glob, rng.choice(GLOBS)})
        parts.append(test if rng.random() < 0.5 else ir.negation(test))
    if len(names) > 1:
        parts.append(SAME if rng.random() < 0.4 else ir.negation(SAME))
    cut = rng.randint(1, len(parts))
    return ir.conjunction([ir.disjunction(parts[:cut]), *parts[cut:]])


@pytest.mark.parametrize("columns", [one_column_each, pairs_of_columns])
@pytest.mark.parametrize("names", ["a", "ab"])
@pytest.mark.parametrize("facts", [0, 100])
def test_what_can_hold_of_split_texts_is_what_holds_of_some(
    monkeypatch: pytest.MonkeyPatch, columns: object, names: str, facts: int
) -> None:
    """Over every text of a few letters, of which one is in no pattern, two for two fields."""
    monkeypatch.setattr(text_classes, "build_columns", columns)
    monkeypatch.setattr(split, "PATTERNS_MAX", facts)
    rng = random.Random(f"split {names}")
    alphabet, size = ("ab.z", 4) if names == "a" else ("ab.yz", 2)
    texts = ["".join(t) for n in range(size + 1) for t in product(alphabet, repeat=n)]
    fields = tuple(text(n, size=size) for n in names)
    verdicts = []
    for _ in range(40):
        condition = random_globs(rng, names)
        one = policy(fields, condition)
        enumerated = any(
            Environment(one, {}, dict(zip(names, values, strict=True))).holds(condition)
            for values in product(texts, repeat=len(names))
        )
        found = answer_for(fields, condition)
        verdicts.append(type(found))
        assert isinstance(found, Open) or isinstance(found, Found) == enumerated
    assert Found in verdicts
    assert Absent in verdicts
    assert verdicts.count(Open) <= 4
