"""Two versions over time side by side: one policy whose rows hold the cells of both.

In: OLD and NEW.  Out: a pair that takes samples as both do: the rules of both over one row, each cell of the
versions once where both define it alike (`alike.py`), and which version's decision each update reads.

What always holds: each version takes what it declares, from the state in which nothing has happened yet.  What one
version does not take (an event or signal that it does not declare or whose values it refuses, an invalid request)
is to it a tick of the same time and key.  An event that must come after another comes only where both take it.  A
cell that counts decisions stands for both only while both have decided alike (`agreeing`): so
the first difference is one of the pair, and if there is none nothing differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from govlang.compiler import ir
from govlang.verifier.merge import CannotMergeError, Merged, Version, merge
from govlang.verifier.rewriting import Renamer
from govlang.verifier.time.alike import representatives
from govlang.verifier.time.bits import without_sets
from govlang.verifier.time.caps import same_caps
from govlang.verifier.time.divide import asks_decision
from govlang.verifier.time.hearing import Hearing

BEFORE: Final = "old "
"""What the names of OLD's cells begin with."""

EMPTY: Final = ir.Time((), (), (), None, 0)
"""What a policy over single requests remembers."""


@dataclass(frozen=True, slots=True)
class Party:
    """One version as it takes samples, and what its cells are called in the pair."""

    policy: ir.Policy
    """Without sets, its ages stopping where those of the other version do."""
    cells: Mapping[str, str]
    """By its own name: the cell of the pair that stands for each."""


@dataclass(frozen=True)
class Pair:
    """Two versions over one sequence of samples."""

    policy: ir.Policy
    merged: Merged
    parties: tuple[Party, Party]
    unseen: tuple[str, ...]
    """What is not compared, in words."""
    needs_agreement: bool
    """Whether some cell stands for both only while both have decided alike."""
    twins: tuple[tuple[str, str], ...]
    """Cells of one name and scope that are not defined alike."""

    @property
    def versions(self) -> tuple[Version, Version]:
        """OLD and NEW over the columns of the pair."""
        return self.merged.old, self.merged.new

    def whose(self, cell: str) -> ir.Policy:
        """The version whose decision the updates of a cell read."""
        return self.versions[not cell.startswith(BEFORE)].policy


def side_by_side(old: ir.Policy, new: ir.Policy, *, agreeing: bool) -> Pair:
    """Both versions as one; `agreeing`: up to the first moment at which they differ.

    Raises:
        CannotMergeError: the versions keep state in ways that cannot be compared.
    """
    _comparable(old, new)
    plain = same_caps(without_sets(old), without_sets(new))
    named = _renamed(plain[0], BEFORE), _renamed(plain[1], "")
    merged = merge(*named)
    versions = merged.old, merged.new
    samples = tuple(_samples(named, versions))
    hearings = [
        Hearing.listening(one, samples, version, other.valid == version.valid)
        for one, version, other in zip(named, versions, versions[::-1], strict=True)
    ]
    heard = [_heard(one, hearing) for one, hearing in zip(versions, hearings, strict=True)]
    whole = _joined(merged, heard, samples)
    stands, needs_agreement = _stands(whole, agreeing=agreeing)
    policy = _shared(whole, stands)
    finals = [_named(one, whole, stands) for one in heard]
    unseen = [
        line for hearing, one in zip(hearings, named, strict=True) for line in hearing.lost(one)
    ]
    return Pair(
        policy,
        replace(merged, space=policy, old=finals[0], new=finals[1]),
        (_party(plain[0], BEFORE, stands), _party(plain[1], "", stands)),
        tuple(dict.fromkeys((*unseen, *_permits_apart(named, stands)))),
        needs_agreement,
        tuple(_twins(policy)),
    )


def time_of(policy: ir.Policy) -> ir.Time:
    """What a policy remembers; nothing, where it is one over single requests."""
    return policy.time or EMPTY


def _comparable(old: ir.Policy, new: ir.Policy) -> None:
    if old.time is None or new.time is None:
        return
    if old.time.key != new.time.key:
        a, b = (f"`{time.key}`" if time.key else "nothing" for time in (old.time, new.time))
        raise CannotMergeError(
            f"state is kept by {a} in one version and by {b} in the other: "
            "their histories cannot be compared"
        )
    before = {one.name: one for one in old.time.samples}
    for one in new.time.samples:
        other = before.get(one.name, one)
        if (one.kind, one.shared) != (other.kind, other.shared):
            what = "an event in one version only" if one.kind is not other.kind else "shared in one"
            raise CannotMergeError(
                f"`{one.name}` is {what}: the histories of the two cannot be compared"
            )


def sample_changes(old: ir.Policy, new: ir.Policy) -> Iterator[str]:
    """What changed in the declarations of events and signals."""
    before, after = ({s.name: s for s in time_of(one).samples} for one in (old, new))
    for name in dict.fromkeys((*before, *after)):
        a, b = before.get(name), after.get(name)
        if a is None or b is None:
            one = a or b
            assert one is not None
            yield f"the {one.kind.value} `{name}` was {'added' if a is None else 'removed'}"
        elif a.fields != b.fields:
            yield f"the declaration of `{name}` changed"


# --- one space -------------------------------------------------------------------------------------


def _renamed(policy: ir.Policy, prefix: str) -> ir.Policy:
    """The policy with a mark before the names of its cells; without properties."""
    time = policy.time
    if time is None:
        return replace(policy, properties=())
    names = {cell.name: prefix + cell.name for cell in time.cells}
    renamer = Renamer.of(policy, names)
    cells = (replace(c, field=replace(c.field, name=names[c.name])) for c in time.cells)
    samples = (replace(s, permit=s.permit and names[s.permit]) for s in time.samples)
    return replace(
        policy,
        rules=tuple(map(renamer.rule, policy.rules)),
        properties=(),
        time=replace(renamer.time(time), cells=tuple(cells), samples=tuple(samples)),
    )


def _samples(
    named: tuple[ir.Policy, ir.Policy], versions: tuple[Version, Version]
) -> Iterator[ir.SampleType]:
    """The events and signals of both, OLD's first, with the columns of both."""
    old, new = ({s.name: s for s in time_of(one).samples} for one in named)
    common = {**versions[0].rewriter.common, **versions[1].rewriter.common}
    for name in dict.fromkeys((*old, *new)):
        both = [one[name] for one in (old, new) if name in one]
        columns = dict.fromkeys(column.name for one in both for column in one.fields)
        permit = next((one.permit for one in reversed(both) if one.permit), None)
        fields = tuple(common[column] for column in columns)
        yield replace(both[-1], fields=fields, permit=permit)


def _heard(version: Version, hearing: Hearing) -> Version:
    """A version that takes what it does not know for a tick."""
    policy = version.policy
    time = policy.time and hearing.time(version.rewriter.time(policy.time))
    rules = tuple(map(hearing.rule, policy.rules))
    return replace(version, policy=replace(policy, rules=rules, time=time))


def _joined(
    merged: Merged, versions: list[Version], samples: tuple[ir.SampleType, ...]
) -> ir.Policy:
    """The rules, cells and updates of both."""
    times = [time_of(one.policy) for one in versions]
    reads = tuple(dict.fromkeys(column for one in times for column in one.reads))
    rules = tuple(rule for one in versions for rule in one.policy.rules)
    taken = [one.valid for one in versions]
    some = taken[0] if taken[0] == taken[1] else ir.disjunction(taken)
    facts = tuple(ir.Property(str(i), one) for i, one in enumerate(taken))
    return replace(
        merged.space,
        rules=rules,
        properties=facts,
        assumptions=(ir.Assumption("a version takes the request", some),),
        time=ir.Time(
            tuple(cell for one in times for cell in one.cells),
            tuple(update for one in times for update in one.updates),
            samples,
            next((one.key for one in times if one.key), None),
            max(one.longest_ms for one in times),
            reads,
            _clock_counts(versions),
        ),
    )


def _clock_counts(versions: list[Version]) -> bool:
    """Whether the versions may differ where the clock goes back."""
    said = [one.policy.time and one.policy.time.rules_read_clock for one in versions]
    return said != [False, False]


# --- cells that stand for two ----------------------------------------------------------------------


def _stands(whole: ir.Policy, *, agreeing: bool) -> tuple[dict[str, str], bool]:
    """The cell that stands for each, and whether that needs decisions to agree."""
    time = time_of(whole)
    names = {cell.name for cell in time.cells}
    versions = {name: int(not name.startswith(BEFORE)) for name in names}
    twins = {n: n.removeprefix(BEFORE) for n in names if n.startswith(BEFORE)}
    twins = {name: other for name, other in twins.items() if other in names}
    found = representatives(whole, versions, twins, agreeing=agreeing)
    if not agreeing or not any(map(asks_decision, time.updates)):
        return found, False
    return found, found != representatives(whole, versions, twins, agreeing=False)


def _shared(whole: ir.Policy, stands: Mapping[str, str]) -> ir.Policy:
    """The policy with the cells that stand for others, and without those."""
    time, renamer = time_of(whole), Renamer.of(whole, stands)
    kept = set(stands.values())
    samples = (replace(one, permit=one.permit and stands[one.permit]) for one in time.samples)
    return replace(
        whole,
        rules=tuple(map(renamer.rule, whole.rules)),
        time=replace(
            time,
            cells=tuple(cell for cell in time.cells if cell.name in kept),
            updates=tuple(renamer.update(u) for u in time.updates if u.cell in kept),
            samples=tuple(samples),
        ),
    )


def _named(version: Version, whole: ir.Policy, stands: Mapping[str, str]) -> Version:
    renamer = Renamer.of(whole, stands)
    rules = tuple(map(renamer.rule, version.policy.rules))
    return replace(version, policy=replace(version.policy, rules=rules))


def _party(plain: ir.Policy, prefix: str, stands: Mapping[str, str]) -> Party:
    cells = (cell.name for cell in time_of(plain).cells)
    return Party(plain, {name: stands[prefix + name] for name in cells})


def _twins(policy: ir.Policy) -> Iterator[tuple[str, str]]:
    """Cells of one name, or of one operator that counts to another number, not defined alike."""
    cells = {cell.name: cell for cell in time_of(policy).cells}
    for name, cell in cells.items():
        if not name.startswith(BEFORE):
            continue
        own = name.removeprefix(BEFORE)
        others = [own] if own in cells else [one for one in cells if _counts_alike(own, one)]
        for other in map(cells.__getitem__, others[:1]):
            if other.scope == cell.scope and not cell.brief | other.brief:
                yield name, other.name


def _counts_alike(own: str, other: str) -> bool:
    """Whether two names are those of counters since one thing, which end with how far they count."""
    stem, _, number = own.rpartition(".")
    same, _, another = other.rpartition(".")
    return stem == same and number.isdigit() and another.isdigit() and not stem.endswith(".age")


def rings(policy: ir.Policy) -> Iterator[tuple[list[ir.Cell], list[ir.Cell]]]:
    """The ages of each operator of both versions that keep some apart: OLD's and NEW's, each from the last time on."""
    found: dict[tuple[str, str], list[ir.Cell]] = {}
    for cell in time_of(policy).cells:
        stem, _, last = cell.name.rpartition(".")
        ages = cell.name if last == "age" else stem
        if ages.endswith(".age") and (last == "age" or last.isdigit()) and cell.cap is not None:
            found.setdefault((ages, cell.scope), []).append(cell)
    for (name, scope), old in found.items():
        new = found.get((name.removeprefix(BEFORE), scope))
        if name.startswith(BEFORE) and new is not None:
            yield old, new


def _permits_apart(named: tuple[ir.Policy, ir.Policy], stands: Mapping[str, str]) -> Iterator[str]:
    """Events that must come after another one, not the same in both versions."""
    old, new = ({s.name: s for s in time_of(one).samples} for one in named)
    for name in old.keys() & new.keys():
        permits = {stands.get(one[name].permit or "", "") for one in (old, new)}
        if len(permits) > 1:
            yield f"`{name}` must come after other events than before"
