"""Random functions of WebAssembly: well typed, of the instructions that a step may have.

Statements and values are drawn alike: blocks with and without results, ifs, branches and tables to any
block further out, code behind jumps, operands that wait while locals change.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

NARROW, WIDE = "i32", "i64"
_TESTS = ("eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u")
_OPS = ("add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u")


@dataclass
class RandomCode:
    """A function over variables and cells (their types by number) and locals."""

    rng: random.Random
    variables: dict[int, str]
    cells: dict[int, str]
    locals_: tuple[str, ...]
    size: int = 60
    labels: list[str] = field(default_factory=lambda: [NARROW])

    def function(self) -> str:
        """The instructions of a whole function."""
        return f"{self.statements()} {self.value(NARROW)}"

    def statements(self) -> str:
        """Some statements."""
        return " ".join(self.statement() for _ in range(self.rng.randint(0, 4)))

    def inside(self, result: str) -> str:
        """The inside of a block that gives a result (none: an empty text)."""
        self.labels.append(result)
        code = self.statements()
        if result:
            code += " " + self.value(result)
        self.labels.pop()
        return code

    def statement(self) -> str:
        """One statement."""
        rng = self.rng
        self.size -= 1
        choice = rng.random() if self.size > 0 else rng.random() * 0.4
        if choice < 0.2:
            number, kind = rng.choice(sorted(self.cells.items()))
            return f"{self.value(kind)} global.set {number}"
        if choice < 0.4:
            number = rng.randrange(len(self.locals_))
            return f"{self.value(self.locals_[number])} local.set {number}"
        if choice < 0.5:
            return f"block {self.inside('')} end"
        if choice < 0.65:
            other = f"else {self.inside('')}" if rng.random() < 0.6 else ""
            return f"{self.value(NARROW)} if {self.inside('')} {other} end"
        if choice < 0.85:
            return self.jump()
        return f"{self.value(rng.choice((NARROW, WIDE)))} drop"

    def jump(self) -> str:
        """A branch, which may have code behind it that nothing leads to."""
        rng = self.rng
        label = rng.randrange(len(self.labels))
        carried = self.labels[-1 - label]
        value = self.value(carried) if carried else ""
        kind = rng.random()
        if kind < 0.55:
            rest = "drop" if carried else ""
            return f"{value} {self.value(NARROW)} br_if {label} {rest}"
        if kind < 0.7:
            return f"{value} br {label}"
        if kind < 0.8:
            return f"{self.value(NARROW)} return"
        same = [i for i, one in enumerate(reversed(self.labels)) if one == carried]
        labels = " ".join(str(rng.choice(same)) for _ in range(rng.randint(0, 4)))
        return f"{value} {self.value(NARROW)} br_table {labels} ; {label}"

    def value(self, kind: str) -> str:
        """Instructions that leave one value."""
        rng = self.rng
        self.size -= 1
        choice = rng.random() if self.size > 0 else rng.random() * 0.3
        if choice < 0.1:
            return f"{kind}.const {rng.choice((-1, 0, 1, 2, 7, rng.randint(-(2**31), 2**31 - 1)))}"
        if choice < 0.2:
            return (
                f"global.get {rng.choice([n for n, one in self.variables.items() if one == kind])}"
            )
        if choice < 0.3:
            return f"local.get {self._local(kind)}"
        if choice < 0.38:
            return f"{self.value(kind)} local.tee {self._local(kind)}"
        if choice < 0.48:
            inside = f"{self.inside(kind)} else {self.inside(kind)}"
            return f"{self.value(NARROW)} if:{kind} {inside} end"
        if choice < 0.55:
            return f"block:{kind} {self.inside(kind)} end"
        if choice < 0.62:
            return f"{self.value(kind)} {self.value(kind)} {self.value(NARROW)} select"
        return self.operation(kind)

    def operation(self, kind: str) -> str:
        """An operation with its operands."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.1:
            divisor = rng.choice((1, 2, 3, 1000, 2**31 - 1))
            return (
                f"{self.value(kind)} {kind}.const {divisor} {kind}.{rng.choice(('div_s', 'rem_s'))}"
            )
        if choice < 0.2 and kind == WIDE:
            return f"{self.value(NARROW)} i64.extend_i32_{rng.choice('su')}"
        if choice < 0.2:
            return f"{self.value(WIDE)} i32.wrap_i64"
        if choice < 0.5 and kind == NARROW:
            wide = rng.choice((NARROW, WIDE))
            if rng.random() < 0.2:
                return f"{self.value(wide)} {wide}.eqz"
            return f"{self.value(wide)} {self.value(wide)} {wide}.{rng.choice(_TESTS)}"
        return f"{self.value(kind)} {self.value(kind)} {kind}.{rng.choice(_OPS)}"

    def _local(self, kind: str) -> int:
        return self.rng.choice([i for i, one in enumerate(self.locals_) if one == kind])
