"""What the proof of an artefact comes to: a verdict, what was proved, what refutes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from govlang.compiler.interpret import Outcome


class Verdict(StrEnum):
    """How a proof came out."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that had to be proved: so many parts of it, by which method, and what failed."""

    name: str
    verdict: Verdict
    method: str
    count: int
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refutation:
    """What differs; with a request and both outcomes unless the table shows it by itself.

    Of a policy that remembers it is a `step` as traces write it, and what was remembered `before` it: the time and
    the cells of each instance.
    """

    what: str
    request: dict[str, Any] | None = None
    runtime: dict[str, Any] = field(default_factory=dict)
    params: dict[str, int] = field(default_factory=dict)
    expected: Outcome | None = None
    found: Outcome | None = None
    step: dict[str, Any] | None = None
    before: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableProof:
    """The result: `refutation` exactly if the verdict is `refuted`."""

    verdict: Verdict
    obligations: tuple[Obligation, ...]
    refutation: Refutation | None
    seconds: float


@dataclass(frozen=True, slots=True)
class EdgeRefutation:
    """What differs; with variables and both outcomes unless the artefact shows it by itself.

    `request` is there where the variables are those of a request; an outcome is what is returned, and
    the cells by name.
    """

    what: str
    variables: dict[str, int] | None = None
    request: dict[str, Any] | None = None
    runtime: dict[str, Any] = field(default_factory=dict)
    params: dict[str, int] = field(default_factory=dict)
    expected: tuple[int, dict[str, int]] | None = None
    found: tuple[int, dict[str, int]] | None = None


@dataclass(frozen=True, slots=True)
class ArtefactProof:
    """The result for C or WebAssembly: `refutation` exactly if the verdict is `refuted`."""

    what: str
    verdict: Verdict
    obligations: tuple[Obligation, ...]
    refutation: EdgeRefutation | None
    seconds: float
