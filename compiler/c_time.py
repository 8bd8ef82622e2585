"""What the C of a policy over time has beside that of others: structs of the state, and functions on it.

In: a program over time and the names of its files.  Out: lines of the header and of the source.

What always holds: pointers are compared with NULL before anything is read through them; everything that refuses
a sample stands before the first write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.compiler.c_names import CNames, comment
from govlang.compiler.edge_state import SAVED_HEAD, board_scopes, state_bytes
from govlang.compiler.program import Home, Program

NOW: Final = ("int64_t now",)


@dataclass(frozen=True, slots=True)
class Objects:
    """What the functions of a policy are given, as far as it has it: pointers by the names of arguments."""

    program: Program
    names: CNames

    @property
    def has_params(self) -> bool:
        """Whether the policy has parameters."""
        return any(one.param for one in self.program.variables)

    @property
    def has_sample(self) -> bool:
        """Whether some sample carries a variable."""
        return any(one.home is Home.SAMPLE for one in self.program.variables)

    @property
    def has_shared(self) -> bool:
        """Whether there is a shared scope beside that of the key."""
        return any(one.home is Home.SHARED for one in self.program.variables)

    def carries(self, sample: ir.SampleType) -> bool:
        """Whether a sample carries a variable."""
        return any(not one.is_text for one in sample.fields)

    # --- arguments -------------------------------------------------------------------------------

    def request(self) -> list[str]:
        """The argument of a request."""
        return [f"const {self.names.of('request_t')} *request"]

    def sample(self) -> list[str]:
        """The argument of what a sample carries."""
        return [f"const {self.names.of('sample_t')} *sample"]

    def params(self) -> list[str]:
        """The argument of the parameters."""
        return [f"const {self.names.of('params_t')} *params"] if self.has_params else []

    def state(self, *, fixed: bool, prefix: str = "") -> list[str]:
        """The arguments of the state; `fixed`: nothing is written to it."""
        const = "const " if fixed else ""
        own = [f"{const}{self.names.of('state_t')} *{prefix}state"]
        shared = [f"{const}{self.names.of('shared_t')} *{prefix}shared"] if self.has_shared else []
        return shared + own

    def outcome(self) -> list[str]:
        """The argument of the outcome."""
        return [f"{self.names.of('outcome_t')} *outcome"]


def pointers(arguments: Sequence[str]) -> list[str]:
    """The names of the arguments that are pointers."""
    return [one.rpartition("*")[2] for one in arguments if "*" in one]


def function(name: str, arguments: Sequence[str]) -> str:
    """The head of a function."""
    return f"int32_t {name}({', '.join(arguments)})"


# --- the header ------------------------------------------------------------------------------------


def struct_names(objects: Objects) -> Iterator[tuple[Home, str]]:
    """The structs of a policy over time."""
    if objects.has_sample:
        yield Home.SAMPLE, "UNSET"
    if objects.has_shared:
        yield Home.SHARED, "START"
    yield Home.STATE, "START"


def state_size(program: Program) -> int:
    """The bytes of a saved state."""
    return SAVED_HEAD + state_bytes(program.policy)


def heads(objects: Objects) -> Iterator[tuple[str, str]]:
    """The functions of the interface: what they are for, and how they begin."""
    names, time = objects.names, objects.program.policy.time
    assert time is not None
    params, both = objects.params(), objects.state(fixed=False)
    about = "0; -1 for an invalid request, -2 for NULL, -3 where the state is none: deny, nothing is kept."
    asked = [*objects.request(), *params, *objects.state(fixed=True), *NOW, *objects.outcome()]
    yield about, function(names.of("decide"), asked)
    yield (
        "",
        function(
            names.of("commit"), [*objects.request(), *params, *both, *NOW, *objects.outcome()]
        ),
    )
    yield (
        "The same answers; -4 for an event that nothing called for: nothing is kept.",
        function(names.of("tick"), [*params, *both, *NOW]),
    )
    for name, one in zip(names.samples, time.samples, strict=True):
        sample = objects.sample() if objects.carries(one) else []
        yield "", function(name, [*sample, *params, *both, *NOW])
    const = objects.state(fixed=True)
    yield "0, or -3 for what is no state.", function(names.of("state_ok"), const)
    yield (
        "When something can change without a sample; INT64_MAX: never.",
        function(names.of("next_deadline"), [*const, *NOW, "int64_t *deadline"]),
    )
    yield (
        "The state as bytes, and back; downtime in ms, -1: nobody knows.",
        function(names.of("save"), [*const, *NOW, "uint8_t *bytes"]),
    )
    yield (
        "",
        function(
            names.of("restore"),
            [*both, "const uint8_t *bytes", "uint32_t length", *NOW, "int64_t downtime"],
        ),
    )


def declarations(objects: Objects) -> Iterator[str]:
    """The functions of the interface, as the header has them."""
    for about, head in heads(objects):
        yield from [f"/* {about} */"] if about else []
        yield f"{head};"


# --- ways into the step ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """The static function that does the work: its name, and its arguments, those that its body reads."""

    name: str
    arguments: tuple[str, ...]

    @property
    def head(self) -> str:
        """How it begins."""
        return f"static {function(self.name, self.arguments)}"


def step_of(objects: Objects, name: str, body: Sequence[str]) -> Step:
    """The step, given its lines."""
    given = [*objects.request(), *(objects.sample() if objects.has_sample else [])]
    given += [*objects.params(), *objects.state(fixed=True)]
    given += objects.state(fixed=False, prefix="next_")
    read = [one for one in given if any(f"{one.rpartition('*')[2]}->" in line for line in body)]
    return Step(name, ("int32_t kind", *read, *NOW, *objects.outcome()))


def ways(objects: Objects, step: Step, refuse: str) -> Iterator[str]:
    """The functions that take a sample."""
    time = objects.program.policy.time
    assert time is not None
    kinds = [ir.REQUEST, ir.REQUEST, ir.TICK]
    kinds += range(ir.FIRST_KIND, ir.FIRST_KIND + len(time.samples))
    for place, (kind, (_, head)) in enumerate(zip(kinds, heads(objects), strict=False)):
        sample = time.samples[kind - ir.FIRST_KIND] if kind >= ir.FIRST_KIND else None
        carries = sample is not None and objects.carries(sample)
        asked = kind == ir.REQUEST
        yield from ("", head, "{", *_tests(objects, refuse, asked=asked, carries=carries))
        state = pointers(objects.state(fixed=True))
        given = {"kind": str(kind), "now": "now"}
        given |= {one: one for one in (*pointers(objects.params()), *state)}
        given |= {"request": "request", "outcome": "outcome"} if asked else {}
        given |= {"sample": "sample"} if carries else {}
        given |= {f"next_{one}": one for one in state} if place else {}  # the first one asks
        names = (one.rpartition(" ")[2].lstrip("*") for one in step.arguments)
        yield f"    return {step.name}({', '.join(given.get(name, 'NULL') for name in names)});"
        yield "}"


def null(names: Sequence[str], answer: str) -> Iterator[str]:
    """An answer where one of some pointers is NULL."""
    tests = [f"{one} == NULL" for one in names]
    test = " || ".join(f"({one})" for one in tests) if len(tests) > 1 else tests[0]
    yield from (f"    if ({test}) {{", f"        return {answer};", "    }")


def _tests(objects: Objects, refuse: str, *, asked: bool, carries: bool) -> Iterator[str]:
    given = (objects.request() if asked else []) + (objects.sample() if carries else [])
    needed = pointers([*given, *objects.params(), *objects.state(fixed=True)])
    if asked:
        yield from null(["outcome"], "-2")
    yield from null(needed, f"{refuse}(outcome, -1, -2)" if asked else "-2")


def about_scope(program: Program, home: Home) -> str:
    """The comment in front of the struct of a scope."""
    time = program.policy.time
    assert time is not None
    scope = next(one for one in board_scopes(time) if one.name is home)
    own = f"of one `{time.key}`" if time.key else "of all"
    return f"/* {scope.bytes} bytes: {comment('of all' if home is Home.SHARED else own)} */"
