"""The temporal part as it is read and laid out; random trees are in `test_printer.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from govlang.dsl import ast
from govlang.dsl.diagnostics import GovError
from govlang.dsl.parser import parse, parse_fragment
from govlang.dsl.printer import print_policy
from govlang.dsl.source import Source

POLICIES = sorted((Path(__file__).parent / "policies").glob("*.gov"))
a, b, x, y, s, per = map(ast.Name, ("a", "b", "x", "y", "s", "per"))


def number(text: str, unit: str | None = None) -> ast.Number:
    return ast.Number(text, unit)


def event(name: str, member: str | None = None, per: str | None = None) -> ast.EventRef:
    names = (None if text is None else ast.Name(text) for text in (member, per))
    return ast.EventRef(ast.Name(name), *names)


def only(text: str) -> ast.Declaration:
    (declaration,) = parse_fragment(Source("t.gov", text)).declarations
    return declaration


def expr(text: str) -> ast.Expr:
    let = only(f"let x = {text}")
    assert isinstance(let, ast.LetDecl)
    return let.value


def reprinted(text: str) -> str:
    return print_policy(parse_fragment(Source("t.gov", text)))


def test_the_examples_are_all_there() -> None:
    assert len(POLICIES) == 4


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_examples_of_the_language_are_read_and_laid_out(path: Path) -> None:
    policy = parse(Source(path.name, path.read_text("utf-8")))
    printed = print_policy(policy)
    again = parse(Source("printed", printed))
    assert again == policy
    assert print_policy(again) == printed


FIVE = number("5", "min")
EXPRESSIONS: dict[str, ast.Expr] = {
    "a within 5 min": ast.HappenedWithin(a, FIVE),
    "x > y within 5 min": ast.HappenedWithin(ast.Compare(">", x, y), FIVE),
    "a per s within 5 min": ast.HappenedWithin(event("a", None, "s"), FIVE),
    "enters a.s within 5 min": ast.HappenedWithin(ast.Enters(a, s), FIVE),
    "a between 1 and 5 min ago": ast.Ago(a, number("1", "min"), FIVE),
    "a between 1 s and 5 min ago": ast.Ago(a, number("1", "s"), FIVE),
    "a for 5 min": ast.HeldFor(a, FIVE),
    "a since b": ast.Since(a, event("b")),
    "a since enters b.s": ast.Since(a, ast.Enters(b, s)),
    "a since (b within 5 min)": ast.Since(a, event("b"), FIVE),
    "(a within 5 min) for 5 min": ast.HeldFor(ast.HappenedWithin(a, FIVE), FIVE),
    "count(a) in 5 min": ast.Count(event("a"), ast.Window(FIVE)),
    "count(a per s) in 5 min": ast.Count(event("a", None, "s"), ast.Window(FIVE)),
    "count(a) in 5 min by 1 s": ast.Count(event("a"), ast.Window(FIVE, number("1", "s"))),
    "count(a) since b.done": ast.Count(event("a"), event("b", "done")),
    "sum(a.x) in 5 min by 1 s, under": ast.Total(
        "sum", event("a", "x"), ast.Window(FIVE, number("1", "s"), under=True)
    ),
    "average(a.x per s) in 5 min": ast.Total("average", event("a", "x", "s"), ast.Window(FIVE)),
    "max(x) in 5 min": ast.Extreme("max", x, FIVE),
    "min(x + y) in 5 min": ast.Extreme("min", ast.Binary("+", x, y), FIVE),
    "elapsed(a)": ast.Elapsed(event("a")),
    "ewma(x, alpha 0.3)": ast.Ewma(x, number("0.3")),
    "deviates(x, alpha 0.3, by 3)": ast.Deviates(x, number("0.3"), number("3")),
    "deviates(a.x, alpha 0.3, by 3, floor 0.05 V, after 10 samples)": ast.Deviates(
        event("a", "x"),
        number("0.3"),
        number("3"),
        number("0.05", "V"),
        number("10", "samples"),
    ),
    "fresh(x, 5 min)": ast.Fresh(x, FIVE),
    "stale(x, 5 min)": ast.Stale(x, FIVE),
    "previous(x)": ast.Previous(x),
    "changed(x) within 5 min": ast.HappenedWithin(ast.Changed(x), FIVE),
    "reserved(x)": ast.Reserved(x),
    "a.issued": event("a", "issued"),
    "always possible (a or b)": ast.Possible(ast.Logical("or", (a, b))),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_over_time_has_its_node_and_its_text(text: str) -> None:
    assert expr(text) == EXPRESSIONS[text]
    assert reprinted(f"let x = {text}") == f"let x = {text}\n"


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("a and b for 5 min", "a and (b for 5 min)"),
        ("x + y > s for 5 min", "((x + y) > s) for 5 min"),
        ("a implies b within 5 min", "a implies (b within 5 min)"),
        ("has a since b", "(has a) since b"),
        ("count(a) in 5 min >= 3 within 5 min", "((count(a) in 5 min) >= 3) within 5 min"),
        ("a since (b)", "a since b"),
        ("a between 1 and 5 min ago or b", "(a between 1 min and 5 min ago) or b"),
        ("ewma(x, 0.3)", "ewma(x, alpha 0.3)"),
        ("deviates(x, by 3, alpha 0.3)", "deviates(x, alpha 0.3, by 3)"),
    ],
)
def test_operators_over_time_bind_as_the_manual_says(text: str, same_as: str) -> None:
    assert expr(text) == expr(same_as)


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("not a within 5 min", ("not (a within 5 min)", "(not a) within 5 min")),
        ("not (a or b) for 5 min", ("not ((a or b) for 5 min)", "(not (a or b)) for 5 min")),
        ("not not a since b", ("not (a since b)", "(not a) since b")),
        ("a since b within 5 min", ("(a since b) within 5 min", "a since (b within 5 min)")),
        ("a within 5 min for 5 min", ("(a within 5 min) for 5 min",)),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_the_ways_out(
    text: str, ways: tuple[str, ...]
) -> None:
    with pytest.raises(GovError) as refused:
        expr(text)
    (fault,) = refused.value.diagnostics
    assert fault.code == "GOV121"
    assert fault.help == "write " + " or ".join(f"`{way}`" for way in ways)
    for way in ways:
        expr(way)


@pytest.mark.parametrize("word", ["count", "sum", "max", "since_", "enters", "always", "event"])
def test_the_words_of_time_are_names_elsewhere(word: str) -> None:
    text = f"input {{ {word} : bool }}\nrule {word} when {word} and not {word} deny\n"
    assert reprinted(text) == f"input {{\n  {word} : bool\n}}\n\n{text.split(chr(10))[1]}\n"


def test_min_is_a_unit_and_a_function() -> None:
    assert expr("min(min) in 5 min") == ast.Extreme("min", ast.Name("min"), FIVE)


def test_a_field_called_under_does_not_end_a_window() -> None:
    window = ast.Window(FIVE, number("1", "s"))
    total = ast.Total("sum", event("a", "x"), window)
    call = ast.Call("least", (total, ast.Name("under")))
    text = "least(sum(a.x) in 5 min by 1 s, (under))"
    assert expr(text) == call
    assert reprinted(f"let x = {text}") == f"let x = {text}\n"


def test_events_take_their_fields_before_or_after_their_permit() -> None:
    first = only("shared event a { x : text } after b")
    assert first == only("shared event a after b { x : text }")
    field = ast.Field(x, ast.TextType(is_path=False))
    assert first == ast.EventDecl(a, (field,), b, shared=True)
    assert only("event a") == only("event a { }") == ast.EventDecl(a)


def test_a_signal_may_have_a_first_value() -> None:
    signal = only("signal x : number in 0..9 V = 5 V")
    assert isinstance(signal, ast.SignalDecl)
    assert (signal.initial, signal.shared) == (number("5", "V"), False)


def test_a_transition_may_have_several_causes_and_stand_on_any_line() -> None:
    machine = only("machine a per s { start x x -> y on b, b.done when x >= 3 y -> x after 5 min }")
    assert machine == ast.MachineDecl(
        a,
        x,
        (
            ast.Transition(
                x,
                y,
                (event("b"), event("b", "done")),
                None,
                ast.Compare(">=", x, number("3")),
            ),
            ast.Transition(y, x, (), FIVE),
        ),
        s,
    )


def test_a_contract_stops_after_a_time_calls_or_events_in_any_order() -> None:
    said = "contract a for x on y {{ may b {} }}"
    stop = ast.Stop(number("2", "h"), number("200", "calls"), (event("b"), event("a", "done")))
    for text in (
        "stop after 2 h, or 200 calls, or on b, or on a.done",
        "stop on b or after 200 calls or on a.done or 2 h",
    ):
        contract = only(said.format(text))
        assert isinstance(contract, ast.ContractDecl)
        assert contract.stop == stop


def test_levels_may_be_called_like_the_words_between_them() -> None:
    autonomy = only("autonomy for x on y {\n drop may a when b\n rule may b\n drop to drop on a\n}")
    assert autonomy == ast.AutonomyDecl(
        x,
        y,
        (ast.Level(ast.Name("drop"), (a,), b), ast.Level(ast.Name("rule"), (b,))),
        (ast.Drop(ast.Name("drop"), (event("a"),)),),
    )


LAID_OUT = {
    "clauses of a contract come in one order": (
        "contract c for k on f { stop on c.done revoke on e needs n scope x may a, b }",
        """
contract c for k on f {
  may    a, b
  scope  x
  needs  n
  stop   on c.done
  revoke on e
}
""",
    ),
    "transitions are aligned": (
        "machine m { start a a -> long on e long -> a after 3 s }",
        """
machine m {
  start a
  a    -> long on e
  long -> a    after 3 s
}
""",
    ),
    "levels are aligned and come before drops": (
        "autonomy for k on f { drop to a on e a may x bb may y, z when c }",
        """
autonomy for k on f {
  a  may x
  bb may y, z when c
  drop to a on e
}
""",
    ),
    "steps stand on one line": (
        """
test "t" { event e { k "a", f 3 } expect m is s
at 1 s signal v 3 V { k "a" } at 2 s tick expect m is not s lose v for 3 s
at 3 s stick v { k 1 } clock back 5 s }
""",
        """
test "t" {
  event e { k "a", f 3 } expect m is s
  at 1 s signal v 3 V { k "a" }
  at 2 s tick expect m is not s
  lose v for 3 s
  at 3 s stick v { k 1 }
  clock back 5 s
}
""",
    ),
}


@pytest.mark.parametrize("case", LAID_OUT)
def test_the_layout_of_time_is_one(case: str) -> None:
    source, wanted = LAID_OUT[case]
    assert reprinted(source) == wanted.lstrip()
    assert reprinted(wanted) == wanted.lstrip()


def test_long_transitions_and_levels_break_before_their_conditions() -> None:
    names = [f"a_rather_long_condition_{i}" for i in range(5)]
    condition = " and ".join(names)
    rest = "".join(f"      and {name}\n" for name in names[1:])
    broken = f"    when {names[0]}\n{rest}"
    machine = f"machine m {{ start a a -> b on e when {condition} }}"
    assert reprinted(machine) == f"machine m {{\n  start a\n  a -> b on e\n{broken}}}\n"
    autonomy = f"autonomy for k on f {{ a may x when {condition} }}"
    assert reprinted(autonomy) == f"autonomy for k on f {{\n  a may x\n{broken}}}\n"


def test_after_expect_limit_steps_and_fields_are_told_apart() -> None:
    test = only(
        'test "t" { request { } expect limit event e\nrequest { } expect limit event to 3\n'
        "request { } expect limit tick expect limit is s }"
    )
    assert isinstance(test, ast.Test)
    found = [type(step).__name__ for step in test.steps]
    assert found == ["RequestStep", "EventStep", "RequestStep", "RequestStep", "TickStep"]
    tick = test.steps[-1]
    assert isinstance(tick, ast.TickStep)
    assert tick.states == (ast.StateIs(ast.Name("limit"), s),)
