"""From a model of `unroll.History` to samples, their run on the reference step, and shorter ones.

In: a model.  Out: a `Reached`: the row at the last sample, as the reference step has it, with the samples
that lead there.

What always holds: what a `Reached` says was computed by the reference step from the empty state; a shorter
or plainer history is kept only if it still shows what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, Value
from govlang.compiler.ir import Effect
from govlang.compiler.step import Report, Request, State, Tick, Watched, watch
from govlang.verifier.columns import Columns, Point
from govlang.verifier.concretize import Failure, realise
from govlang.verifier.time.unroll import History

Sample = Request | Tick | Report
TRIES_MAX: Final = 400
"""Histories that are tried to make one shorter and plainer."""

WORK_MAX: Final = 2_000_000
"""Cells that are computed for that."""


@dataclass(frozen=True)
class Reached(Point):
    """A row that some samples lead to: the last of them, and what every request was answered."""

    samples: tuple[Sample, ...] = ()
    outcomes: tuple[Outcome | None, ...] = ()
    moving: Mapping[str, Value] = field(default_factory=dict)
    """The columns as the machines found them at the last sample."""
    after: State = field(default_factory=State)
    by_chance: bool = False
    """Whether the samples are random, so that others show more plainly what they show."""

    @property
    def decision(self) -> Effect | None:
        """What the last sample was answered."""
        last = self.outcomes[-1]
        return None if last is None else last.decision

    def as_chance(self) -> Reached:
        """The same, as of random samples."""
        return replace(self, by_chance=True)


Taking = Callable[[Mapping[str, int], State, Sample], Watched]
"""What one sample does, with given parameters."""


def taking(policy: ir.Policy) -> Taking:
    """What one sample does to a policy over time."""
    return partial(watch, policy)


def run(take: Taking, params: Mapping[str, int], samples: Sequence[Sample]) -> Reached | None:
    """The samples on the reference step; None if one of them is not taken, or is no valid request."""
    state, outcomes = State(), []
    watched = Watched(state, None, {}, {})
    for sample in samples:
        watched = take(params, watched.after, sample)
        if not watched.seen:
            return None
        outcomes.append(watched.outcome)
    return Reached(
        watched.seen, params, tuple(samples), tuple(outcomes), watched.moving, watched.after
    )


# --- from a model ----------------------------------------------------------------------------------


def samples_of(history: History, model: Any) -> tuple[list[Sample], Mapping[str, int]] | Failure:
    """The samples of a model and its parameters, or why no texts fit it."""
    points: list[Point] = []
    for moment in history.moments:
        found = realise(moment.encoder, model)
        if not isinstance(found, Point):
            return found
        points.append(found)
    texts = _key_texts(history, model, points)
    samples: list[Sample] = []
    for i, count in enumerate(history.counts):
        samples += [_sample(history, model, i, points[i], texts)] * count
    return samples, points[-1].params


def _number(model: Any, term: Any) -> int:
    return int(model.eval(term, model_completion=True).as_long())


Texts = Mapping[tuple[str, int], str]
"""By scope and number of a key: its text."""


def _key_texts(history: History, model: Any, points: Sequence[Point]) -> Texts:
    """A text for each key: that of a request if it has one, from the last one back."""
    found: dict[tuple[str, int], str] = dict(history.texts)
    for moment, point in reversed(list(zip(history.moments, points, strict=True))):
        for scope, key in moment.keys.items():
            number = _number(model, key)
            used = {text for (other, _), text in found.items() if other == scope}
            if (scope, number) in found:
                continue
            own = str(point.values.get(scope) or "")
            asked = _number(model, moment.kind) == ir.REQUEST
            if asked and own not in used:
                found[scope, number] = own
            else:
                columns = history.last.columns
                wanted = columns.texts.class_of(scope, own.encode()) if asked else None
                found[scope, number] = _fresh(columns, scope, used, wanted)
    return found


def _fresh(columns: Columns, scope: str, used: set[str], wanted: Any) -> str:
    """A text that no other key of the scope has; of the classes that are wanted, if there is one."""
    if wanted is not None:
        for text in columns.texts.choices(scope, wanted, search=True).texts:
            if text.decode() not in used:
                return text.decode()
    return next(t for t in (f"{scope[:20]}{i}" for i in range(1, 1000)) if t not in used)


def _sample(history: History, model: Any, i: int, point: Point, texts: Texts) -> Sample:
    moment, time = history.moments[i], history.time
    at_ms = _number(model, moment.at)
    kind = _number(model, moment.kind)
    own = {scope: texts[scope, _number(model, key)] for scope, key in moment.keys.items()}
    if kind == ir.REQUEST:
        asked = {one.name for one in history.policy.fields[: _asked(history)]}
        values = {n: v for n, v in point.values.items() if n in asked}
        return Request(values | {n: t for n, t in own.items() if n in asked}, at_ms)
    if kind == ir.TICK:
        keyed = z3.is_true(model.eval(moment.keyed, model_completion=True))
        return Tick(at_ms, own[time.key] if keyed and time.key is not None else None)
    one = time.samples[kind - ir.FIRST_KIND]
    values = {column.name: point.values[column.name] for column in one.fields}
    for scope, text in own.items():
        if f"${one.name}.{scope}" in values:
            values[f"${one.name}.{scope}"] = text
    key = own[time.key] if time.key is not None and not one.shared else None
    return Report(one.name, values, at_ms, key)


def _asked(history: History) -> int:
    """How many of the flat policy's fields are those of a request; they come first."""
    time = history.time
    added = len(time.cells) + sum(len(one.fields) for one in time.samples) + 3
    return len(history.policy.fields) - added


# --- of another key -------------------------------------------------------------------------------


def of_key(name: str | None, sample: Sample, at_ms: int, key: str | None) -> Sample:
    """A sample at another time and of another key, if it carries one."""
    match sample:
        case Request(values=values):
            if name is None or key is None or name not in values:
                return Request(values, at_ms)
            return Request({**values, name: key}, at_ms)
        case Tick(key=None) | Report(key=None):
            return replace(sample, at_ms=at_ms)
        case Tick() | Report():
            return replace(sample, at_ms=at_ms, key=key or sample.key)


def key_of(time: ir.Time, state: State) -> str | None:
    """A key that there is a state of."""
    return next((key for scope, key in state.instances if scope == time.key), None)


def renamed(take: Taking, time: ir.Time, reached: Reached, key: str) -> Reached | None:
    """The same samples of another key, run on the reference step; None if one of them is not taken."""
    samples = [of_key(time.key, one, one.at_ms, key) for one in reached.samples]
    return run(take, reached.params, samples)


# --- shorter and plainer ---------------------------------------------------------------------------


def shortened(
    take: Taking,
    time: ir.Time,
    reached: Reached,
    shows: Callable[[Reached], bool],
    borders: Iterable[int] = (),
) -> Reached:
    """The same finding with fewer samples and plainer times, where the reference step agrees.

    `borders`: times in ms that are tried between samples, beside those at which cells stop growing.
    """
    work = len(time.cells) * len(reached.samples)
    tries = min(TRIES_MAX, WORK_MAX // max(1, work))
    windows = sorted({0, 1, 1000, 60_000, 3_600_000, *borders} | _windows(time))
    changed = True
    while changed and tries > 0:
        changed = False
        for samples in _simpler(reached.samples, windows):
            tries -= 1
            other = run(take, reached.params, samples) if samples else None
            if other is not None and shows(other):
                reached, changed = other, True
                break
            if tries <= 0:
                break
    return reached


def _windows(time: ir.Time) -> set[int]:
    """The times around which a cell stops growing, in ms."""
    return {ms for cell in time.cells if cell.cap is not None for ms in (cell.cap - 1, cell.cap)}


def _simpler(samples: tuple[Sample, ...], windows: Sequence[int]) -> Iterator[tuple[Sample, ...]]:
    """Without one of the samples but the last, then with shorter times between them."""
    last = len(samples) - 1
    size = last // 2
    while size > 1:
        for i in range(0, last - size + 1, size):
            yield (*samples[:i], *samples[i + size :])
        size //= 2
    for i in range(last):
        yield (*samples[:i], *samples[i + 1 :])
    for i in range(last - 1):  # one sample fewer where the one before it can stand at its time
        gap = samples[i + 1].at_ms - samples[i].at_ms
        if gap > 0:
            yield (*samples[:i], _moved(samples[i], gap), *samples[i + 2 :])
    if earliest := min(one.at_ms for one in samples):
        yield tuple(_moved(one, -earliest) for one in samples)
    for i in range(1, len(samples)):
        gap = samples[i].at_ms - samples[i - 1].at_ms
        for less in (*windows, gap // 60_000 * 60_000, gap // 1000 * 1000):
            if not 0 <= less < gap:
                continue
            rest = tuple(_moved(one, less - gap) for one in samples[i:])
            if min(one.at_ms for one in rest) >= 0:  # behind a clock that goes back
                yield (*samples[:i], *rest)


def _moved(sample: Sample, ms: int) -> Sample:
    return replace(sample, at_ms=sample.at_ms + ms)
