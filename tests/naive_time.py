"""Expressions over time, read off the syntax tree and everything that has happened.

In: the whole history (`Past`), the states in which machines have been (`Moves`), a position.  Out: truth
and numbers by the definitions of language.md, as quantifiers over positions.  Nothing is carried on from
sample to sample and no code is shared with the compiler; truths are remembered only to save time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from naive_past import ALL, Instance, Sample
from naive_places import BUILT_IN, NeverError, Place, Trigger, homes, parts, plain
from naive_positions import Positions
from naive_reading import AbsentError, Num, compared, ms, shape
from naive_smooth import last_deviates, smoothed_mean

from govlang.dsl import ast


class TimeReading(Positions):
    """A policy at a position, with everything that has happened up to there."""

    # --- truth -----------------------------------------------------------------------------------

    def holds(self, expr: ast.Expr, wanted: bool = True) -> bool:  # noqa: FBT002
        """Whether an expression, or (`wanted` false) its contrary, holds.

        A test on request fields keeps the truth of the last request; before the first one neither it
        nor its contrary holds.
        """
        match expr:
            case ast.Unary(op="not"):
                return self.holds(expr.operand, not wanted)
            case ast.Logical():
                every = all if (expr.op == "and") == wanted else any
                return every(self.holds(one, wanted) for one in expr.operands)
            case ast.Implies(left=left, right=right):
                if wanted:
                    return self.holds(left, False) or self.holds(right)
                return self.holds(left) and self.holds(right, False)
            case ast.If():
                test, then, otherwise = expr.condition, expr.then, expr.otherwise
                if wanted:
                    return (self.holds(test) and self.holds(then)) or (
                        self.holds(test, False) and self.holds(otherwise)
                    )
                return (self.holds(test, False) or self.holds(then, False)) and (
                    self.holds(test) or self.holds(otherwise, False)
                )
            case ast.Name(text=text) if text in self.policy.lets:
                return self.holds(self.policy.lets[text], wanted)
            case ast.Bool(value=value):
                return value == wanted
            case _:
                return self._kept(expr, wanted)

    def _kept(self, expr: ast.Expr, wanted: bool) -> bool:
        """A test, at the last request if it is about one."""
        if not self.asks(expr):
            try:
                return self.tested(expr) == wanted
            except NeverError:
                return False
        asked = [j for j, _ in self._lived(self.context) if self.past.samples[j].given is not None]
        if not asked:
            return False
        try:
            return self.moved(self.context, asked[-1]).tested(expr) == wanted
        except NeverError:
            return False
        except AbsentError:
            if asked[-1] == self.at:
                raise
            return False

    def tested(self, expr: ast.Expr) -> bool:
        found = self.value(expr)
        assert isinstance(found, bool), expr
        return found

    def asks(self, expr: ast.Expr) -> bool:
        """Whether a test reads a field of the request, other than inside an operator over time."""
        return any(name in self.policy.fields or name == "approved" for name in self.names(expr))

    def names(self, expr: Any) -> Iterator[str]:
        """The names that an expression reads outside operators over time."""
        match expr:
            case ast.Name(text=text) if text in self.policy.lets:
                yield from self.names(self.policy.lets[text])
            case ast.Name(text=text):
                yield text
            case ast.Has(field=name):
                yield name.text
            case ast.Is() | ast.IsEmpty() | ast.In() | ast.Contains() | ast.Within():
                yield from self.names(expr.operand)
            case ast.Like() | ast.Under():
                yield from self.names(expr.operand)
            case ast.Number() | ast.String() | ast.Bool():
                return
            case _ if isinstance(expr, ast.Temporal):
                return
            case _:
                for part in parts(expr):
                    yield from self.names(part)

    # --- values ----------------------------------------------------------------------------------

    def value(self, expr: ast.Expr) -> Any:
        match expr:
            case ast.Unary(op="not") | ast.Logical() | ast.Implies():
                return self.holds(expr)
            case ast.Compare():
                return self._compared(expr)
            case ast.Has(field=name) if name.text in self.policy.signals:
                return self._last(name) is not None
            case _ if isinstance(expr, ast.Temporal):
                return self.over_time(expr)
            case _:
                return super().value(expr)

    def _compared(self, expr: ast.Compare) -> bool:
        left, right = self.value(expr.left), self.value(expr.right)
        if left is None or right is None:  # the average of nothing
            return False
        return compared(expr.op, left, right)

    def named(self, name: str) -> Any:
        if name in self.policy.signals:
            return self._signal(name)
        if name in self.policy.homes:
            return self.state(name)
        if name in self.policy.events or name in BUILT_IN:
            return self.over_time(ast.EventRef(ast.Name(name)))
        if name == "gap":
            return self.seconds(self.past.gaps_ms[self.at])
        if name == "clock_fault":
            return self.past.faults[self.at]
        return super().named(name)

    @staticmethod
    def seconds(age_ms: float) -> Num:
        value: Any = age_ms if age_ms == float("inf") else Fraction(int(age_ms), 1000)
        return Num(value, Fraction(1, 1000))

    def _signal(self, name: str) -> Any:
        declared = self.policy.signals[name]
        found = self._last(ast.Name(name))
        if found is None and declared.initial is None:
            raise AbsentError(name)
        value = plain(declared.initial) if found is None else found
        return self.typed(value, declared.type)

    @staticmethod
    def typed(value: Any, type_: ast.Type) -> Any:
        if not isinstance(type_, ast.NumberType):
            return value
        _, _, step, unit = shape(type_)
        return Num(Fraction(value) * unit, step * unit)

    def state(self, machine: str) -> str:
        home = self.policy.homes[machine]
        instance = self.instance(home)
        return self.policy.moves(machine, instance).state(self.at - self.moving)

    # --- operators -------------------------------------------------------------------------------

    def over_time(self, expr: Any) -> Any:
        match expr:
            case ast.EventRef() | ast.Enters():
                return self.happens(expr).holds(self.at)
            case ast.HappenedWithin(operand=operand, duration=duration):
                found, most = self.trigger(operand), ms(duration)
                return any(
                    age <= most and found.holds(j)
                    for j, age in self._ages(found.instance, found.late)
                )
            case ast.Ago(operand=operand, newest=newest, oldest=oldest):
                found, near, far = self.trigger(operand), ms(newest), ms(oldest)
                return any(
                    near <= age <= far and found.holds(j)
                    for j, age in self._ages(found.instance, found.late)
                )
            case ast.HeldFor(operand=operand, duration=duration):
                return self._held_for(operand, ms(duration))
            case ast.Since():
                return self._since(expr)
            case ast.Count():
                return Num(Fraction(self._count(expr)), Fraction(1))
            case ast.Total():
                return self._total(expr)
            case ast.Extreme():
                return self._extreme(expr)
            case ast.Elapsed(event=event):
                found = self.happens(event)
                ages = [age for j, age in self._ages(found.instance, found.late) if found.holds(j)]
                return self.seconds(min(ages, default=float("inf")))
            case ast.Fresh(reading=reading, duration=duration):
                return self._fresh(reading, ms(duration))
            case ast.Reserved(field=name):
                return self._in_flight(name.text)
            case ast.Stale(reading=reading, duration=duration):
                return not self._fresh(reading, ms(duration))
            case _:
                return self._smoothed(expr)

    def _held_for(self, operand: ast.Expr, length: int) -> bool:
        found = self.trigger(operand)
        for j, age in self._ages(found.instance, found.late):
            if not found.holds(j):
                return False
            if age >= length:
                return True
        return False

    def _since(self, expr: ast.Since) -> bool:
        held, anchor = self.trigger(expr.operand), self.happens(expr.event)
        instance = anchor.instance if held.instance == ALL else held.instance
        for j, age in self._ages(instance):
            early = self.moving and j == self.at
            if not (early and (held.late or anchor.late)) and anchor.holds(j):
                return expr.within is None or age <= ms(expr.within)
            if not (early and held.late) and not held.holds(j):
                return False
        return False

    def _count(self, expr: ast.Count) -> int:
        found = self.happens(expr.event)
        if isinstance(expr.since, ast.Window):
            if expr.since.pane is not None:
                return self._panes(found, expr.since, lambda _: 1)
            most = ms(expr.since.duration)
            ages = self._ages(found.instance, found.late)
            return sum(age <= most and found.holds(j) for j, age in ages)
        anchor = self.happens(expr.since)
        instance = anchor.instance if found.instance == ALL else found.instance
        anchored, counted = self.place(expr.since), self.place(expr.event)
        places: list[Place] = [
            (j, anchored) for j, _ in self._lived(instance, anchor.late) if anchor.holds(j)
        ]
        last = max(places, default=(-1, 0))
        known = self._lived(instance, found.late)
        return sum((j, counted) > last and found.holds(j) for j, _ in known)

    # --- sums ------------------------------------------------------------------------------------

    def _panes(self, found: Trigger, window: ast.Window, amount: Callable[[int], int]) -> int:
        """A sum over panes that follow each other from the first sample on, and begin anew after a silence."""
        assert window.pane is not None
        whole, length = ms(window.duration), ms(window.pane)
        before = whole // length if window.under else -(-whole // length)
        start, total, now = 0, {}, 0
        for j, time in self.past.lived(found.instance, self.at):
            if time - start - (now - start) // length * length >= (before + 2) * length:
                start, total = time, {}
            now = time
            if found.holds(j):
                number = (time - start) // length
                total[number] = total.get(number, 0) + amount(j)
        current, phase = divmod(now - start, length)
        reach = (whole - phase) // length if window.under else before
        return sum(total.get(current - i, 0) for i in range(reach + 1))

    def _total(self, expr: ast.Total) -> Num | None:
        assert isinstance(expr.of, ast.EventRef)
        assert expr.of.member is not None
        found = self.happens(expr.of)
        name, member = expr.of.name.text, expr.of.member.text
        if name == "allowed" and member in self.policy.reserved:
            found = self.happens(ast.EventRef(ast.Name("settled"), None, expr.of.per))
        fields = self._fields_of(name)
        _, _, step, unit = shape(fields[member].type)

        def amount(j: int) -> int:
            sample = self.past.samples[j]
            carried = sample.values if sample.given is None else sample.given
            return int(Fraction(carried[member]) / step)

        total = self._panes(found, expr.window, amount)
        if expr.function == "sum":
            return Num(total * step * unit, step * unit)
        count = self._panes(found, expr.window, lambda _: 1)
        return Num(total * step * unit / count, step * unit) if count else None

    def _fields_of(self, event: str) -> dict[str, ast.Field]:
        if event == "allowed":
            return self.policy.fields
        return {one.name.text: one for one in self.policy.events[event].fields}

    def _in_flight(self, member: str) -> Num:
        """What was taken in, less what has ended; what is asked for now is not held against itself."""
        _, _, step, unit = shape(self.policy.fields[member].type)
        own = f"reserved_{member}"
        total = Fraction(0)
        instance = self.instance(self.past.key or "")
        for j, _ in self.past.lived(instance, self.at):
            sample = self.past.samples[j]
            if sample.given is not None:
                if j == self.at or sample.decision in ("allow", "limit"):
                    total = max(Fraction(0), total - Fraction(sample.given.get(own, 0)))
                if j < self.at and sample.decision in ("allow", "limit"):
                    total += Fraction(sample.given[member])
            elif sample.name == "reserved":
                total += Fraction(sample.values[member])
            elif sample.name in ("settled", "released"):
                total = max(Fraction(0), total - Fraction(sample.values[member]))
        return Num(total * unit, step * unit)

    # --- readings --------------------------------------------------------------------------------

    def _samples_of(self, reading: ast.Reading) -> tuple[Instance, list[tuple[int, Any]], Any]:
        """Whose it is, positions with values, the declared type."""
        if isinstance(reading, ast.EventRef):
            assert reading.member is not None
            name, member = reading.name.text, reading.member.text
            declared = self.policy.events[name]
            instance = ALL if declared.shared else self.context
            picked = self._picked(instance, lambda s: s.values[member] if s.name == name else None)
            return instance, picked, self._fields_of(name)[member].type
        name = reading.text
        if name in self.policy.signals:
            signal = self.policy.signals[name]
            instance = ALL if signal.shared else self.instance(self.past.key or "")
            picked = self._picked(instance, lambda s: s.values[name] if s.name == name else None)
            return instance, picked, signal.type
        picked = self._picked(
            self.context, lambda s: None if s.given is None else s.given.get(name)
        )
        return self.context, picked, self.policy.fields[name].type

    def _picked(self, instance: Instance, of: Callable[[Sample], Any]) -> list[tuple[int, Any]]:
        found = ((j, of(self.past.samples[j])) for j, _ in self._lived(instance))
        return [(j, value) for j, value in found if value is not None]

    def _last(self, reading: ast.Reading) -> Any:
        picked = self._samples_of(reading)[1]
        return picked[-1][1] if picked else None

    def _fresh(self, reading: ast.Reading, most: int) -> bool:
        instance, picked, _ = self._samples_of(reading)
        ages = dict(self._ages(instance))
        return any(ages[j] <= most for j, _ in picked)

    def _extreme(self, expr: ast.Extreme) -> Num:
        """The greatest or least value at samples in the window; samples without one are skipped."""
        shared = homes(self.policy, expr.operand) == {""}
        instance = ALL if shared else self.context
        most = ms(expr.duration)
        found = [float("-inf") if expr.function == "max" else float("inf")]
        for j, age in self._ages(instance):
            if age <= most:
                found += self.moved(instance, j).known(expr.operand)
        choose = max if expr.function == "max" else min
        return Num(choose(found), Fraction(1))  # type: ignore[arg-type]  # nothing is -∞ or ∞

    def known(self, expr: ast.Expr) -> list[Any]:
        """The value of an expression, held from the last request; none if something lacks."""
        at = self.at
        if self.asks(expr):
            lived = self._lived(self.context)
            at = max((j for j, _ in lived if self.past.samples[j].given is not None), default=-1)
        try:
            return [self.moved(self.context, at).number(expr).value] if at >= 0 else []
        except AbsentError:
            return []

    def _smoothed(self, expr: Any) -> Any:
        _, picked, type_ = self._samples_of(expr.reading)
        values = [value for _, value in picked]
        match expr:
            case ast.Changed():
                here = bool(picked) and picked[-1][0] == self.at
                return here and len(values) > 1 and values[-1] != values[-2]
            case ast.Previous():
                if not values:
                    raise self._lacking(expr.reading)
                return self.typed(values[-2] if len(values) > 1 else values[-1], type_)
            case ast.Ewma(alpha=alpha):
                if not values:
                    raise self._lacking(expr.reading)
                return smoothed_mean(values, type_, Fraction(alpha.value))
            case ast.Deviates():
                return last_deviates(values, type_, expr)
            case _:
                raise AssertionError(expr)

    def _lacking(self, reading: ast.Reading) -> AbsentError:
        is_field = isinstance(reading, ast.Name) and reading.text in self.policy.fields
        return NeverError() if is_field else AbsentError(str(reading))
