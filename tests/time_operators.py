"""Random conditions over time as text: every operator, nested, in every scope.

In: a source of randomness, the scope in which the condition stands.  Out: text.  By construction it
compiles: what may be absent is guarded inside the operator that reads it, and operators read only what is
kept in their scope.

Windows are a few milliseconds, as are the steps of the histories, so that their ends are met often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

KEYED, SHARED, PER = "keyed", "shared", "per"
"""Where an expression stands: in the scope of the key, of all, of a resource."""

WINDOWS = (0, 1, 2, 3, 5, 8, 8, 13, 20, 21, 40, 100)
ALPHAS = ("0.3", "0.5", "1", "0.125", "0.07")
MODES = ("low", "mid", "high")


class TimeWriter:
    """Writes one policy."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.keyed = self.chance(0.9)
        self.machines: dict[str, tuple[str, list[str]]] = {}
        """Scope and states of the machines that may be read."""
        self.lets: list[str] = []
        self.initial = self.chance(0.3)
        self.reserves = self.chance(0.3)
        """Whether `reserved(risk)` is read, so that `allowed.risk` counts when work is settled."""

    # --- choices ---

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, options: Sequence[T]) -> T:
        return self.rng.choice(options)

    def window(self, least: int = 0) -> str:
        return f"{self.pick([w for w in WINDOWS if w >= least])} ms"

    def lasting(self) -> str:
        """A time that something lasts: not 0, which is refused."""
        found = self.window()
        return "1 ms" if found == "0 ms" else found

    def op(self) -> str:
        return self.pick(["<", "<=", ">", ">="])

    def two(self) -> tuple[int, int]:
        low, high = sorted(self.pick(WINDOWS) for _ in range(2))
        return low, high

    def count(self) -> int:
        return self.pick([0, 1, 1, 2, 2, 3, 4])

    # --- what happens ---

    def event(self, scope: str) -> str:
        """An event that the scope sees."""
        if scope == PER:
            return "e"
        own = ["settled", "released", "reserved"] if self.reserves and scope == KEYED else []
        return self.pick(["e", "e", "e", "f", "f", "failed", "dispatched", *own])

    def happening(self, scope: str) -> str:
        """What can be counted."""
        choices = [self.event(scope)] * 5 + ["allowed"] * 2
        entered = [
            f"enters {name}.{self.pick(states)}"
            for name, (home, states) in self.machines.items()
            if home == scope
        ]
        return self.pick(choices + entered * 2)

    def occurrence(self, scope: str, *, rule: bool) -> str:
        """What can be counted by itself: what all see, or what is kept by the resource."""
        choices = [self.happening(scope)] * 6 + ["alarm"]
        choices += ["e per resource", "allowed per resource"] if rule else []
        choices += [f"enters {n}.{self.pick(s)}" for n, (home, s) in self.machines.items()
                    if home == SHARED]  # fmt: skip
        return self.pick(choices)

    # --- readings ---

    def reading(self, scope: str) -> tuple[str, str]:
        """Something with samples that are numbers, and its unit."""
        choices = [("risk", ""), ("margin", "")]
        if scope == KEYED:
            choices += [("v", "V"), ("v", "V"), ("load", "kg"), ("e.size", "kg")]
        return self.pick(choices)

    def guard(self, reading: str) -> str:
        if reading == "e.size":
            return f"fresh(e.size, {self.window(3)})"
        return self.pick([f"has {reading}", f"fresh({reading}, {self.window(3)})"])

    def guarded(self, reading: str, test: str) -> str:
        if reading == "risk":
            return test
        guard = self.guard(reading)
        if self.chance(0.1):
            return f"({guard} implies {test})"
        return f"({guard} and {test})"

    def level(self, reading: str, unit: str) -> str:
        steps = {"risk": 5, "margin": 2, "v": 15, "load": 25, "e.size": 10}[reading]
        return f"{self.rng.randint(0, 2 * steps) / 2} {unit}".rstrip()

    # --- conditions ---

    def atom(self, scope: str) -> str:
        """A condition on this sample and what is held."""
        choices: list[Callable[[], str]] = [
            lambda: f"risk {self.op()} {self.level('risk', '')}",
            lambda: "flag",
            lambda: f"mode is {self.pick(MODES)}",
            lambda: 'approved contains "boss"',
            lambda: f"changed({self.pick(['mode', 'risk'])})",
            lambda: f"(has load and load {self.op()} {self.level('load', 'kg')})",
            self.shared_atom,
        ]
        if scope == KEYED:
            choices += [
                self.volts,
                self.volts,
                lambda: self.pick(["lamp", "lamp", "changed(lamp)", "changed(v)"]),
                lambda: f"(has v and v {self.op()} risk * 3 V)",
            ]
            if self.keyed:
                choices.append(lambda: f"gap > {self.window()}")
        choices += [
            lambda n=n, s=s: f"{n} is {self.pick(['', 'not '])}{self.pick(s)}"  # type: ignore[misc]
            for n, (home, s) in self.machines.items()
            if home == scope
        ]
        return self.pick(choices)()

    def volts(self) -> str:
        test = f"v {self.op()} {self.level('v', 'V')}"
        return test if self.initial and self.chance(0.5) else f"(has v and {test})"

    def shared_atom(self) -> str:
        states = [(n, s) for n, (home, s) in self.machines.items() if home == SHARED]
        if states and self.chance(0.5):
            name, own = self.pick(states)
            return f"{name} is {self.pick(own)}"
        return f"(has margin and margin {self.op()} {self.level('margin', '')})"

    def condition(self, scope: str, depth: int, *, inside: bool = True) -> str:
        """A condition; `inside`: at any sample, so that events may be read."""
        roll = self.rng.random()
        if depth == 0 or roll < 0.3:
            if inside and self.chance(0.2):
                return self.event(scope)
            if self.lets and scope == KEYED and self.chance(0.2):
                return self.pick(self.lets)
            return self.atom(scope)
        one, two = (self.condition(scope, depth - 1, inside=inside) for _ in range(2))
        if roll < 0.7:
            return self.pick(
                [
                    f"not ({one})",
                    f"({one} and {two})",
                    f"({one} or {two})",
                    f"({one} implies {two})",
                    f"not ({one} and {two})",
                    f"(if {one} then {two} else {self.atom(scope)})",
                ]
            )
        return f"({self.operator(scope, depth - 1)[1]})"

    def operand(self, scope: str, depth: int) -> str:
        """What stands before `within` and its like, closed."""
        found = self.condition(scope, depth)
        return found if found.isidentifier() or found.startswith("(") else f"({found})"

    # --- operators ---

    def operator(self, scope: str, depth: int, *, rule: bool = False) -> tuple[str, str]:
        """An operator over time: what it is called, and a condition that it makes."""
        tried = self.pick(OPERATORS)
        if tried == "reserved" and not (self.reserves and scope == KEYED):
            tried = "sum"
        return tried, getattr(self, f"_{tried}")(scope, depth, rule)

    def _event_within(self, scope: str, _: int, rule: bool) -> str:
        return f"{self.occurrence(scope, rule=rule)} within {self.window()}"

    def _within(self, scope: str, depth: int, _: bool) -> str:
        return f"{self.operand(scope, depth)} within {self.window()}"

    def _between(self, scope: str, depth: int, rule: bool) -> str:
        low, high = self.two()
        what = self.occurrence(scope, rule=rule) if self.chance(0.5) else self.operand(scope, depth)
        return f"{what} between {low} ms and {high} ms ago"

    def _for(self, scope: str, depth: int, _: bool) -> str:
        return f"{self.operand(scope, depth)} for {self.lasting()}"

    def _since(self, scope: str, depth: int, _: bool) -> str:
        return f"{self.operand(scope, depth)} since {self.happening(scope)}"

    def _since_within(self, scope: str, depth: int, _: bool) -> str:
        what = self.operand(scope, depth)
        return f"{what} since ({self.happening(scope)} within {self.window(3)})"

    def _elapsed(self, scope: str, _: int, rule: bool) -> str:
        return f"elapsed({self.occurrence(scope, rule=rule)}) {self.op()} {self.window()}"

    def _count(self, scope: str, _: int, rule: bool) -> str:
        op = self.pick([">=", ">=", ">", "<", "<=", "==", "!="])
        what = self.occurrence(scope, rule=rule)
        least = max(
            self.count(), int(what.startswith("enters"))
        )  # 0 of them needs no machine to be known
        most = "most" if self.chance(0.1) else least
        return f"count({what}) in {self.window()} {op} {most}"

    def _count_since(self, scope: str, _: int, __: bool) -> str:
        op = self.pick([">=", ">=", ">", "<", "<=", "==", "!="])
        one, two = self.happening(scope), self.happening(scope)
        return f"count({one}) since {two} {op} {self.count()}"

    def panes(self) -> str:
        length = self.pick([1, 2, 3, 5, 8])
        whole = length * self.pick([1, 2, 3, 4]) + self.pick([0, 0, length - 1])
        return f"{whole} ms by {length} ms{self.pick(['', '', ', under'])}"

    def summand(self, scope: str, rule: bool) -> tuple[str, str]:
        apart = scope == PER and self.reserves  # what was used is known by the key
        choices = [("e.size", "kg"), *([] if apart else [("allowed.risk", "")])]
        if rule:
            choices.append(("e.size per resource", "kg"))
            choices += [] if self.reserves else [("allowed.risk per resource", "")]
        return self.pick(choices)

    def _sum(self, scope: str, __: int, rule: bool) -> str:
        of, unit = self.summand(scope, rule)
        total = f"sum({of}) in {self.panes()}"
        if unit == "" and rule and self.chance(0.3):
            total += " + risk"
        return f"{total} {self.op()} {self.rng.randint(0, 20)} {unit}".rstrip()

    def _average(self, scope: str, __: int, rule: bool) -> str:
        of, unit = self.summand(scope, rule)
        op = self.pick([">=", ">", "<", "<=", "==", "!="])
        bound = self.rng.randint(0, 16) / 2
        return f"average({of}) in {self.panes()} {op} {bound} {unit}".rstrip()

    def _count_panes(self, scope: str, _: int, rule: bool) -> str:
        return f"count({self.occurrence(scope, rule=rule)}) in {self.panes()} {self.op()} {self.count()}"

    def _extreme(self, scope: str, _: int, __: bool) -> str:
        name, unit = self.reading(scope)
        if name == "e.size":
            name, unit = "risk", ""
        which = self.pick(["max", "min"])
        return f"{which}({name}) in {self.window()} {self.op()} {self.level(name, unit)}"

    def _ewma(self, scope: str, _: int, __: bool) -> str:
        name, unit = self.reading(scope)
        test = f"ewma({name}, {self.pick(['alpha ', ''])}{self.pick(ALPHAS)}) {self.op()} {self.level(name, unit)}"
        return self.guarded(name, test)

    def _deviates(self, scope: str, _: int, __: bool) -> str:
        name, unit = self.reading(scope)
        text = (
            f"deviates({name}, alpha {self.pick(ALPHAS)}, by {self.pick(['1', '0.5', '2', '1.25'])}"
        )
        if self.chance(0.5):
            text += f", floor {self.pick(['0.5', '1.3', '0.01'])} {unit}".rstrip()
        if self.chance(0.5):
            text += f", after {self.rng.randint(0, 4)} samples"
        return text + ")"

    def _fresh(self, scope: str, _: int, __: bool) -> str:
        return f"fresh({self.any_reading(scope)}, {self.window()})"

    def _stale(self, scope: str, _: int, __: bool) -> str:
        return f"stale({self.any_reading(scope)}, {self.window()})"

    def any_reading(self, scope: str) -> str:
        return self.pick(
            [self.reading(scope)[0], self.pick(["lamp", "v"]) if scope == KEYED else "margin"]
        )

    def _previous(self, scope: str, _: int, __: bool) -> str:
        name, unit = self.reading(scope)
        return self.guarded(name, f"previous({name}) {self.op()} {self.level(name, unit)}")

    def _changed(self, scope: str, _: int, rule: bool) -> str:
        name = self.pick([self.any_reading(scope), "mode", "flag"])
        if rule and self.chance(0.3):
            return f"changed({self.pick(['risk', 'mode', 'flag'])})"
        return f"changed({name}) within {self.window()}"

    def _state(self, scope: str, _: int, rule: bool) -> str:
        seen = {n: s for n, (home, s) in self.machines.items()
                if home in (scope, SHARED) or rule}  # fmt: skip
        if not seen:
            return f"dispatched within {self.window()}"
        name = self.pick(list(seen))
        return f"{name} is {self.pick(seen[name])}"

    def _enters(self, scope: str, _: int, rule: bool) -> str:
        seen = {n: s for n, (home, s) in self.machines.items()
                if home in (scope, SHARED) or rule}  # fmt: skip
        if not seen:
            return f"dispatched within {self.window()}"
        name = self.pick(list(seen))
        bare = rule and self.machines[name][0] != PER and self.chance(0.3)
        entry = f"enters {name}.{self.pick(seen[name])}"
        return entry if bare else f"{entry} within {self.window()}"

    def _reserved(self, _: str, __: int, rule: bool) -> str:
        total = f"reserved(risk) {self.op()} {self.rng.randint(0, 20)}"
        if not rule:
            return self.pick([total, f"({total}) within {self.window()}"])
        more = self.pick(["", " + risk", f" + sum(allowed.risk) in {self.panes()}"])
        return self.pick([f"reserved(risk){more} {self.op()} {self.rng.randint(0, 20)}", total])

    def _gap(self, _: str, __: int, rule: bool) -> str:
        return f"gap > {self.window()}" if rule else f"(risk > 2) within {self.window()}"


OPERATORS = (
    "event_within", "within", "between", "for", "since", "since_within", "elapsed", "count",
    "count_since", "sum", "average", "count_panes", "extreme", "ewma", "deviates", "fresh", "stale",
    "previous", "changed", "state", "enters", "gap", "reserved",
)  # fmt: skip
"""What is tried; each makes a condition."""
