"""Random short histories on the reference step, aimed at what a policy tests.

In: a policy over time, its columns.  Out: rows that these histories reach, with the samples that lead there.

What always holds: what comes out was computed by the reference step from the empty state; the seed is fixed,
and so is the work.  That nothing comes out proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment, Outcome, Value
from govlang.compiler.step import Instance, Report, Request, State, Tick
from govlang.verifier.columns import Columns, all_conditions
from govlang.verifier.letters import is_valid
from govlang.verifier.shapes import Box
from govlang.verifier.time.divide import Sources
from govlang.verifier.time.traces import Reached, Sample, Taking, key_of, renamed

WORK_MAX: Final = 60_000
"""Cells and updates that are computed."""

FEW: Final = 50
FEW_WORK_MAX: Final = 400_000
"""The same, where there are so few rules."""

TOTAL_MAX: Final = 900
"""Samples of all histories together."""

SAMPLES_MAX: Final = 12
"""Samples of one history, where none is repeated."""

OFTEN: Final = (1, 1, 1, 2, 3, 5)
"""How often one sample comes; sometimes as often as some cell counts."""

LEAST: Final = 200
"""Samples that are enough where every rule has decided once."""

ONWARD_SHARE: Final = 0.6
"""The part of the histories that go on from others."""

LONG_MAX: Final = 200
"""Samples of a history from which none goes on."""

ONWARD: Final = 40
"""Samples that are tried on cells that the solver made up."""

INSIDE: Final = 0.85
"""How often a request keeps to the box of a rule in a field."""

RENAMED_MAX: Final = 40
"""Samples of a history that are taken once more to go on from it with another key."""

KEY: Final = "a"
"""The key of every history of a policy whose conditions do not ask which key it is."""

TICKS: Final = 0.1
DIRECTED: Final = 0.7
REPORTS: Final = 0.6
OFTEN_MAX: Final = 130


@dataclass(frozen=True)
class Aim:
    """What a history is made of."""

    kinds: tuple[int, ...]
    """Events and signals, as in `ir.SAMPLE`."""
    waits: tuple[int, ...]
    """Times between samples, in ms."""
    often: tuple[int, ...]
    """How often a sample comes."""
    boxes: Sequence[Box]
    """Where requests lie; none: that of any rule."""
    rule: str = ""
    """The rule that it is about."""


Shown = tuple[tuple[bool, ...], str]


@dataclass
class Simulation:
    """Makes samples of the values at which conditions turn."""

    policy: ir.Policy
    columns: Columns
    take: Taking
    boxes: Sequence[Sequence[Box]] = ()
    """Where each rule can fire; requests are made there."""

    rng: Random = field(default_factory=lambda: Random("govlang"))  # noqa: S311  # no secret
    _ends: dict[str, list[int]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Texts of some fields that conditions tell apart."""

    def __post_init__(self) -> None:
        assert self.policy.time is not None
        self.time = self.policy.time
        self._collect()
        tested = {name for one in self._conditions() for name in ir.fields_read(one)}
        whole = _aim(self.time, {cell.name for cell in self.time.cells}, (), tested)
        self._aims = [whole]
        origins = Sources(self.time)
        for rule, boxes in zip(self.policy.rules, self.boxes, strict=False):
            if boxes:
                cells = origins.of(ir.fields_read(rule.condition))
                self._aims.append(_aim(self.time, cells, boxes, tested, rule.id))
        self._aim = whole
        self.keys = self._keys()
        self._key = KEY
        self._own_keys: dict[str, tuple[str, ...]] = {}
        self.silent: set[str] = set()
        self._machines = [c.name for c in self.time.cells if c.field.members and c.cap is None]

    def _conditions(self) -> Iterator[ir.BoolExpr]:
        yield from all_conditions(self.policy)
        yield from (update.condition for update in self.time.updates)

    def _collect(self) -> None:
        """The ends of every range that a column is tested for."""
        cells = {cell.name for cell in self.time.cells if not cell.brief}
        self._tests: list[ir.InRanges] = []
        atoms = dict.fromkeys(atom for one in self._conditions() for atom in ir.atoms(one))
        for atom in atoms:
            if isinstance(atom, ir.InRanges):
                self._tests += [atom] if atom.name in cells else []
                ends = self._ends.setdefault(atom.name, [])
                ends += [v for lo, hi in atom.ranges for v in (lo - 1, lo, hi, hi + 1)]

    # --- keys ------------------------------------------------------------------------------------

    def _keys(self) -> tuple[str, ...]:
        """A key for each class of texts that conditions tell apart, as far as one is known."""
        name = self.time.key
        if name is None or name not in self.columns.classes:
            return (KEY,)
        found: dict[tuple[int, ...], str] = {}
        for text in (KEY, *self.texts.get(name, ())):
            found.setdefault(self.columns.texts.class_of(name, text.encode()), text)
        return tuple(found.values())

    def _inside(self, aim: Aim) -> tuple[str, ...]:
        """A key for each box of an aim that asks for some."""
        if aim.rule not in self._own_keys:
            name, columns = self.time.key or "", self.columns
            found: dict[str, None] = {}
            for place, number in enumerate(columns.classes.get(name, ())):
                field, texts = columns.fields[name], columns.texts.column(name, place)
                for box in (box for box in aim.boxes if number in box):
                    own = texts.of(field, box[number][0][0])
                    found |= dict.fromkeys(text.decode() for text in own[:1])
            self._own_keys[aim.rule] = tuple(found)
        return self._own_keys[aim.rule]

    def _choose_key(self) -> str:
        """The key of one history: mostly one that its aim asks for."""
        own = self._inside(self._aim)
        if own and self.rng.random() < INSIDE:
            return self.rng.choice(own)
        return self.rng.choice(self.keys) if len(self.keys) > 1 else self.keys[0]

    def _of_key(self, start: Reached) -> Reached | None:
        """A history of the key that was chosen; None if it takes long to make one of it, or it is none."""
        if key_of(self.time, start.after) in {None, self._key}:
            return start
        if len(start.samples) > RENAMED_MAX:
            return None
        return renamed(self.take, self.time, start, self._key)

    # --- histories -------------------------------------------------------------------------------

    def run(self) -> Iterator[Reached]:
        """What every sample of some histories reaches; some of them go on from what was new in others.

        Seldom states of machines are gone on from as often as common ones.
        """
        cost = len(self.time.cells) + len(self.time.updates) + 1
        work = WORK_MAX if len(self.policy.rules) > FEW else FEW_WORK_MAX
        left = min(TOTAL_MAX + 10 * max(self._aims[0].often), work // cost)
        enough = left - LEAST
        self.silent = {rule.id for rule in self.policy.rules}
        new: dict[tuple[Value | None, ...], list[Reached]] = {}
        met: set[Shown] = set()
        while left > 0:
            start = None
            if new and self.rng.random() < ONWARD_SHARE:
                start = self.rng.choice(new[self.rng.choice(list(new))])
            for reached in self._history(start):
                left -= 1
                yield reached
                shown = self._shown(reached)
                if shown not in met:
                    met.add(shown)
                    if len(reached.samples) < LONG_MAX:
                        states = tuple(reached.values.get(name) for name in self._machines)
                        new.setdefault(states, []).append(reached)
                self.silent.discard(shown[1])
                if left <= (0 if self.silent else enough):
                    return

    def _shown(self, reached: Reached) -> Shown:
        """What the tests of cells say in a state, and which rule decided."""
        env = Environment(self.policy, reached.params, reached.values)
        there = reached.values
        tests = tuple(one.name in there and env.holds(one) for one in self._tests)
        last = reached.outcomes[-1]
        return tests, "" if last is None else last.rule_id

    def _choose(self) -> Aim:
        """What a history aims at: mostly a rule that has not decided yet."""
        silent = [aim for aim in self._aims if aim.rule in self.silent]
        return self.rng.choice(silent if silent and self.rng.random() < DIRECTED else self._aims)

    def _history(self, start: Reached | None) -> Iterator[Reached]:
        params = {p.field.name: self._number(p.field) for p in self.policy.params}
        state, at_ms = State(), 0
        samples: list[Sample] = []
        outcomes: list[Outcome | None] = []
        self._aim = self._choose()
        self._key = self._choose_key()
        start = start and self._of_key(start)
        if start is not None:
            params, state = dict(start.params), start.after
            samples, outcomes = list(start.samples), list(start.outcomes)
            at_ms = samples[-1].at_ms
        for _ in range(self.rng.randint(2, SAMPLES_MAX)):
            at_ms += self.rng.choice(self._aim.waits) if samples else 0
            often = self.rng.choice(self._aim.often)
            sample = self._sample(at_ms)
            for _ in range(often):
                watched = self.take(params, state, sample)
                if not watched.seen:
                    break
                same = watched.after == state
                state = watched.after
                samples.append(sample)
                outcomes.append(watched.outcome)
                yield Reached(
                    watched.seen,
                    params,
                    tuple(samples),
                    tuple(outcomes),
                    watched.moving,
                    state,
                    by_chance=True,
                )
                if same:  # one more changes nothing
                    break

    def onward(self, cells: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
        """What the cells are behind one sample each, from such cells of one key."""
        instances = {
            (scope, "" if scope == ir.SHARED else KEY): Instance(
                0,
                {
                    c.name: cells[c.name]
                    for c in self.time.cells
                    if c.scope == scope and not c.brief
                },
            )
            for scope in {cell.scope for cell in self.time.cells}
        }
        state = State(instances)
        params = {p.field.name: self._number(p.field) for p in self.policy.params}
        self._key = KEY
        for _ in range(ONWARD):
            self._aim = self._aims[0]
            sample = self._sample(self.rng.choice(self._aim.waits))
            after = self.take(params, state, sample).after
            yield {
                name: value
                for address in instances
                for name, value in after.instances[address].cells.items()
            }

    # --- samples ---------------------------------------------------------------------------------

    def _sample(self, at_ms: int) -> Sample:
        aim = self._aim
        if self.rng.random() < TICKS:
            return Tick(at_ms, self._key if self.time.key else None)
        kinds = aim.kinds if self.rng.random() < DIRECTED else self._aims[0].kinds
        if kinds and self.rng.random() < REPORTS:
            one = self.time.samples[self.rng.choice(kinds) - ir.FIRST_KIND]
            key = self._key if self.time.key and not one.shared else None
            return Report(one.name, self._row(one.fields, {}), at_ms, key)
        boxes = aim.boxes or (self.rng.choice(self._aims).boxes)
        box = self.rng.choice(boxes) if boxes else {}
        return Request(self._row(self.policy.fields, box), at_ms)

    def _row(self, fields: tuple[ir.Field, ...], box: Box) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for one in fields:
            number = self.columns.value.get(one.name, -1)
            if number in box and self.rng.random() < INSIDE:
                allowed = self.rng.choice(box[number])
                found[one.name] = self.rng.choice(allowed)
            elif not (one.optional and self.rng.random() < 1 / 3):
                found[one.name] = self._text(one) if one.is_text else self._number(one)
        return found

    def _number(self, one: ir.Field) -> int:
        if one.kind is ir.Kind.SET:
            return self.rng.getrandbits(len(one.members))
        known = self._ends.get(one.name, ())
        if known and self.rng.random() < 3 / 4:
            value = self.rng.choice(known)
            if one.lo <= value <= one.hi:
                return value
        return self.rng.choice((one.lo, one.hi, self.rng.randint(one.lo, one.hi)))

    def _text(self, one: ir.Field) -> str:
        if one.name == self.time.key:
            return self._key
        if one.name not in self.texts:
            plain = [text.decode() for text in (b"a", b"b") if is_valid(one, text)]
            self.texts[one.name] = plain or ["a"]
        return self.rng.choice(self.texts[one.name])


def _aim(
    time: ir.Time, names: set[str], boxes: Sequence[Box], tested: set[str], rule: str = ""
) -> Aim:
    """What samples have to be like to change some cells."""
    cells = [cell for cell in time.cells if cell.name in names]
    heard = {
        value
        for update in time.updates
        if update.cell in names
        for atom in ir.atoms(update.condition)
        if isinstance(atom, ir.InRanges) and atom.name == ir.SAMPLE
        for lo, hi in atom.ranges
        for value in range(lo, hi + 1)
    }
    growing = {cell.cap for cell in cells if cell.cap is not None}
    waits = {0, 1} | {ms for cap in growing for ms in (cap // 2, cap - 1, cap)}
    return Aim(
        tuple(sorted(kind for kind in heard if kind >= ir.FIRST_KIND)),
        tuple(sorted(waits)),
        (*OFTEN, *OFTEN, *OFTEN, *sorted(_counts(time, [c for c in cells if c.name in tested]))),
        boxes,
        rule,
    )


def _counts(time: ir.Time, cells: Sequence[ir.Cell]) -> set[int]:
    """How often something must happen for some cell to say so."""
    found = set()
    adding = {one.cell for one in time.updates if isinstance(one.value, ir.Arith)}
    for cell in cells:
        stem, _, last = cell.name.rpartition(".")
        if stem.endswith(".age") and last.isdigit():
            found.add(int(last))
        elif cell.name in adding and 1 < cell.field.hi <= OFTEN_MAX:
            found |= {cell.field.hi, cell.field.hi - 1}
    return {n for n in found if n <= OFTEN_MAX}
