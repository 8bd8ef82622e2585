"""Syntax tree: what happens, and expressions that remember. Read them as `ast.X`; see `ast.py`."""

# `span_field()` makes a dataclass field, not a shared default

from __future__ import annotations

from typing import TYPE_CHECKING

from govlang.dsl.record import record
from govlang.dsl.source import Span, span_field

if TYPE_CHECKING:  # their union `Expr` holds the nodes of this module
    from govlang.dsl.ast_expressions import Expr, Name, Number, Reading

# --- what happens ---


@record
class EventRef:
    """`failure`, `deletion per resource`, `refactor.done`, `allowed.tokens`, `deletion.size per resource`.

    `member` is a moment in a contract's life (`issued`, `done`, `revoked`, `reinstated`) or a
    field of the event; `per` the field by which it is kept apart. INVARIANT: in an expression or as
    a reading at least one of them is there; a bare word is a `Name`, resolved later.
    """

    name: Name
    member: Name | None = None
    per: Name | None = None
    span: Span = span_field()


@record
class Enters:
    """`enters breaker.half_open`: the machine has stepped into that state."""

    machine: Name
    state: Name
    span: Span = span_field()


Occurrence = EventRef | Enters
"""What can be counted, and what time can be measured from."""


@record
class Window:
    """`1 h`, `1 h by 5 min`, `1 h by 5 min, under`: what lies at most so far back.

    `pane` is the grain in which it is kept (None: exact); `under`: only whole panes inside the
    duration.
    """

    duration: Number
    pane: Number | None = None
    under: bool = False
    span: Span = span_field()


# --- conditions over time ---


@record
class HappenedWithin:
    """`failure within 5 min`, `x > 3 within 1 h`: happened, or held, at some sample of that time."""

    operand: Expr
    duration: Number
    span: Span = span_field()


@record
class Ago:
    """`failure between 5 min and 1 h ago`; `newest` carries the unit of `oldest` where it has none."""

    operand: Expr
    newest: Number
    oldest: Number
    span: Span = span_field()


@record
class HeldFor:
    """`x > 3 for 5 min`: at every sample of that time."""

    operand: Expr
    duration: Number
    span: Span = span_field()


@record
class Since:
    """`x > 3 since failure`, `x > 3 since (failure within 1 h)`: at every sample after the last one.

    `within` bounds how long ago it may have happened; None: the longest window.
    """

    operand: Expr
    event: Occurrence
    within: Number | None = None
    span: Span = span_field()


OverTime = HappenedWithin | Ago | HeldFor | Since
"""The operators that follow their operand: looser than comparisons, tighter than `not`."""


# --- values that remember ---


@record
class Count:
    """`count(failure) in 5 min`, `count(failure) since success`: how often it happened."""

    event: Occurrence
    since: Window | Occurrence
    span: Span = span_field()


@record
class Total:
    """`sum(allowed.tokens) in 1 h by 5 min`, `average(…)`: function `sum` or `average`."""

    function: str
    of: Occurrence
    window: Window
    span: Span = span_field()


@record
class Extreme:
    """`max(voltage) in 5 min`, `min(…)`: function `max` or `min`."""

    function: str
    operand: Expr
    duration: Number
    span: Span = span_field()


@record
class Elapsed:
    """`elapsed(restart)`: how long ago it last happened."""

    event: Occurrence
    span: Span = span_field()


@record
class Ewma:
    """`ewma(voltage, alpha 0.3)`, also written `ewma(voltage, 0.3)`: the weighted moving average."""

    reading: Reading
    alpha: Number
    span: Span = span_field()


@record
class Deviates:
    """`deviates(voltage, alpha 0.3, by 3, floor 0.05 V, after 10 samples)`.

    The last sample lay more than `by` deviations, of at least `floor`, from the average of those
    before it, of which there were at least `after`.
    """

    reading: Reading
    alpha: Number
    by: Number
    floor: Number | None = None
    after: Number | None = None
    span: Span = span_field()


@record
class Fresh:
    """`fresh(margin, 5 s)`: the last sample is no older."""

    reading: Reading
    duration: Number
    span: Span = span_field()


@record
class Stale:
    """`stale(margin, 5 s)`: the last sample is older, or there was none."""

    reading: Reading
    duration: Number
    span: Span = span_field()


@record
class Previous:
    """`previous(voltage)`: its sample before the last one."""

    reading: Reading
    span: Span = span_field()


@record
class Changed:
    """`changed(zone)`: this sample differs from the one before."""

    reading: Reading
    span: Span = span_field()


@record
class Reserved:
    """`reserved(tokens)`: the sum of the field over work in flight."""

    field: Name
    span: Span = span_field()


@record
class Possible:
    """`always possible (EXPR)`: from every reachable state it can come about; in proofs only."""

    condition: Expr
    span: Span = span_field()


Temporal = (
    EventRef
    | Enters
    | HappenedWithin
    | Ago
    | HeldFor
    | Since
    | Count
    | Total
    | Extreme
    | Elapsed
    | Ewma
    | Deviates
    | Fresh
    | Stale
    | Previous
    | Changed
    | Reserved
    | Possible
)
"""The expressions that read more than this sample."""

Bounded = Count | Elapsed | Extreme | Total
"""What can be more than a number: where it is compared, the comparison says what must be kept."""
