"""The history that a `test` block tells: what is reported, and what is wrong with sensor and clock.

In: steps as written.  Out: steps in the order in which they come, with faults worked in: a lost signal
sends nothing, a stuck one repeats its last value, a clock that was put back shows earlier times from there
on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from govlang.compiler.checked import Json, ReportStep, StateExpected, TestStep
from govlang.compiler.fields import lasting, milliseconds
from govlang.compiler.happenings import DISPATCHED, Event, states
from govlang.compiler.literals import literal_value
from govlang.compiler.obligations import argument
from govlang.compiler.refusal import RefusalError, shortened
from govlang.compiler.resolve import Scope, unknown
from govlang.dsl import ast
from govlang.dsl.record import record
from govlang.dsl.source import Span

Values = Callable[..., dict[str, Json]]
"""Reads the arguments of a step against columns by their names."""


@record
class _Faulty:
    """A signal of a key with a fault, until a time (None: the end of the test)."""

    fault: ast.Fault
    signal: str
    key: str | None
    until_ms: int | None


@dataclass(slots=True)
class History:
    """The steps of one test so far."""

    scope: Scope
    values: Values
    steps: list[TestStep | ReportStep] = field(default_factory=list)
    _back_ms: int = 0
    _at_ms: int = 0
    _faults: list[_Faulty] = field(default_factory=list)
    _last: dict[tuple[str, str | None], Json] = field(default_factory=dict)

    def time(self, at: ast.Number | None) -> int:
        """What the clock shows at a step; without a time it is the one before.

        Raises:
            RefusalError: the time is before that of the step before it (GOV237).
        """
        if at is not None:
            found = milliseconds(at, self.scope.units)
            if found < self._at_ms:
                raise RefusalError(
                    "GOV237",
                    f"`{shortened(at.span)}` is before the step above it",
                    at.span,
                    "put the steps in order; a clock that goes back is `clock back 5 s`",
                )
            self._at_ms = found
        return self._at_ms - self._back_ms

    def add(self, step: TestStep | ReportStep) -> None:
        """One more step."""
        self.steps.append(step)

    def take(
        self, step: ast.EventStep | ast.SignalStep | ast.TickStep | ast.FaultStep | ast.ClockStep
    ) -> None:
        """A step that asks nothing.

        Raises:
            RefusalError: it names what is not declared, or a value that does not fit.
        """
        at_ms = self.time(step.at)
        match step:
            case ast.TickStep():
                key = self._only_key()
                found = states_expected(self.scope, step.states)
                self.add(ReportStep(at_ms, None, key, {}, found, step.span))
            case ast.EventStep():
                self.add(self._event(at_ms, step))
            case ast.SignalStep():
                self._signal(at_ms, step)
            case ast.FaultStep(fault=fault, signal=signal, key=key_, duration=duration):
                own = self._faulty_key(signal, key_)
                until = None if duration is None else self._at_ms + self._lasting(duration)
                self._faults.append(_Faulty(fault, signal.text, own, until))
            case ast.ClockStep(back=back):
                self._put_back(back)

    def _lasting(self, duration: ast.Number) -> int:
        return lasting(duration, self.scope.units, "leave the step out")

    # --- parts -----------------------------------------------------------------------------------

    def _put_back(self, back: ast.Number) -> None:
        """The clock shows so much less from here on.

        Raises:
            RefusalError: it would show a time before 0, which no test has (GOV237).
        """
        self._back_ms += self._lasting(back)
        if self._back_ms > self._at_ms:
            raise RefusalError(
                "GOV237",
                "the clock would show a time before 0",
                back.span,
                "begin the test later: `at 1 d …`, or put the clock back by less",
            )

    def _event(self, at_ms: int, step: ast.EventStep) -> ReportStep:
        name = step.event.name.text
        if step.event.member is not None:
            name = f"{name}.{step.event.member.text}"
        event = self.scope.time.events.get(name)
        if event is None and name == DISPATCHED:
            event = Event(name)
        if event is None:
            raise unknown("event", step.event.name, self.scope.time.events)
        own = tuple(one for one in step.values if one.name.text != self.scope.key)
        values = self.values(own, event.fields, f"field of `{name}`")
        lacking = [field for field in event.fields if field not in values]
        if lacking:
            raise RefusalError(
                "GOV237",
                f"the event lacks `{lacking[0]}`",
                step.span,
                f"write `{name} {{ {lacking[0]} … }}`",
            )
        key = None if event.shared else self._own_key(step.values, step.span)
        found = states_expected(self.scope, step.states)
        return ReportStep(at_ms, name, key, values, found, step.span, step.refused)

    def _signal(self, at_ms: int, step: ast.SignalStep) -> None:
        signal = self.scope.time.signals.get(step.signal.text)
        if signal is None:
            raise unknown("signal", step.signal, self.scope.time.signals)
        value: Any = argument(
            literal_value(step.value, signal.cell, self.scope.units), signal.column
        )
        self._refuse_strange(step.key)
        key = None if signal.shared else self._own_key(step.key, step.span)
        fault = self._fault(signal.name, key)
        if fault is ast.Fault.LOSE:
            return
        if fault is ast.Fault.STICK:
            value = self._last.get((signal.name, key), value)
        self._last[signal.name, key] = value
        found = states_expected(self.scope, step.states)
        told = {signal.name: value}
        self.add(ReportStep(at_ms, signal.name, key, told, found, step.span, is_signal=True))

    def _faulty_key(self, signal: ast.Name, written: tuple[ast.Argument, ...]) -> str | None:
        """Whose signal has a fault; None: it is shared, or that of any key.

        Raises:
            RefusalError: there is no such signal or key (GOV201).
        """
        found = self.scope.time.signals.get(signal.text)
        if found is None:
            raise unknown("signal", signal, self.scope.time.signals)
        self._refuse_strange(written)
        return None if found.shared else self._key(written)

    def _refuse_strange(self, written: tuple[ast.Argument, ...]) -> None:
        """Refuse what stands for a key and is none."""
        strange = next((one for one in written if one.name.text != self.scope.key), None)
        if strange is not None:
            raise unknown("key", strange.name, [self.scope.key] if self.scope.key else [])

    def _fault(self, signal: str, key: str | None) -> ast.Fault | None:
        """The fault that a signal has now."""
        for one in reversed(self._faults):
            current = one.until_ms is None or self._at_ms < one.until_ms
            if current and one.signal == signal and one.key in (None, key):
                return one.fault
        return None

    def _own_key(self, values: tuple[ast.Argument, ...], span: Span) -> str | None:
        """The key of what has one; None if the policy has none.

        Raises:
            RefusalError: nothing says which key is meant (GOV237).
        """
        found = self._key(values)
        if found is None and self.scope.key is not None:
            raise RefusalError(
                "GOV237",
                f"nothing says whose this is: no `{self.scope.key}` has been named yet",
                span,
                f'write `{{ {self.scope.key} "a1" }}`',
            )
        return found

    def _key(self, values: tuple[ast.Argument, ...]) -> str | None:
        """The key that is written; a policy's only one may be left out where nothing else is named."""
        own = next((one for one in values if one.name.text == self.scope.key), None)
        if own is None:
            return self._only_key()
        if not isinstance(own.value, ast.String):
            raise RefusalError("GOV204", "a key is a text", own.value.span, 'write `"a1"`')
        return own.value.value

    def _only_key(self) -> str | None:
        """The key of the requests so far, if they have one."""
        if self.scope.key is None:
            return None
        for step in reversed(self.steps):
            key = step.request.get(self.scope.key) if isinstance(step, TestStep) else step.key
            if isinstance(key, str):
                return key
        return None


def states_expected(scope: Scope, written: tuple[ast.StateIs, ...]) -> tuple[StateExpected, ...]:
    """What machines must be.

    Raises:
        RefusalError: there is no such machine or state.
    """
    found = []
    for one in written:
        machine = scope.time.machines.get(one.machine.text)
        if machine is None:
            raise unknown("machine", one.machine, scope.time.machines)
        if one.state.text not in states(machine):
            raise unknown("state", one.state, states(machine))
        found.append(StateExpected(one.machine.text, one.state.text, one.negated, one.span))
    return tuple(found)
