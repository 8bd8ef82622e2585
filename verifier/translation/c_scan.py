"""`POLICY_classify_F`, held against the one scan that docs/edge.md writes out.

In: the function, the arrays, the names of the text.  Out: `machine.Scan`.

What always holds: the function is the documented text with other names and constants; the arrays have
the sizes that make every index of it lie inside, whatever the text and its length; first values are
those of the header (`c_pattern.py` says how a text is held against the documented one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_header import Header
from govlang.verifier.translation.c_names import Named, Text
from govlang.verifier.translation.c_parse import Array, odd, place
from govlang.verifier.translation.c_pattern import Pattern, documented
from govlang.verifier.translation.c_steps import scan_operations
from govlang.verifier.translation.c_types import Type
from govlang.verifier.translation.machine import Automaton, Scan

SHIFT_MAX: Final = 16
_ARGUMENTS: Final = ("request", "text", "length")


@dataclass(frozen=True, slots=True)
class Texts:
    """What the scans of a file share."""

    header: Header
    named: Named
    arrays: Mapping[str, Array]
    used: set[str] = field(default_factory=set)
    """The arrays that some scan reads."""


def read_scan(texts: Texts, name: str, node: Any) -> Scan:
    """The scan of the text `name`, whose function is `node`.

    Raises:
        ArtefactError: GOV416 with the line, it is not the documented one.

    """
    text = texts.named.texts[name]
    members = {cell: member for (_, member), cell in texts.named.cells.items()}
    columns = [cell for cell in members if cell.startswith(f"class.{name}.")]
    pairs = [tuple(cell.split(".")[1:]) for cell in members if cell.startswith("same.")]
    others = [b if a == name else a for a, b in pairs if name in (a, b)]
    wanted = _Wanted(texts, name, text, members, columns, others)
    found = _Found(texts.header, "the scan of a text", texts=texts)
    found.match(wanted.function(), node)
    found.check_names(node, _ARGUMENTS)
    return wanted.scan(found, node)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The documented function of a text."""

    texts: Texts
    name: str
    text: Text
    members: Mapping[str, str]
    columns: Sequence[str]
    others: Sequence[str]

    def function(self) -> Any:
        """The tree of the documented function."""
        return documented(self.texts.header, "".join(self.lines()))

    def lines(self) -> list[str]:
        """Its text; the statements of columns and pairs are repeated for each."""
        policy = self.texts.header.policy
        columns, pairs = range(len(self.columns)), range(len(self.others))
        walk = "L${0} = A${0}_next[(L${0} << C${0}_shift) + A${0}_symbol[L$b]];"
        check = "if (L${0} >= C${0}_states) {{ return -1; }}"
        return [
            f"int32_t {self.text.classify}({policy}_request_t *request,",
            " const uint8_t *text, uint32_t length) {",
            "uint32_t L$i = 0u; uint32_t L$v = 0u;",
            *(f"uint32_t L$s{k} = 0u;" for k in columns),
            *(f"uint32_t L$d{j} = 0u;" for j in pairs),
            "if (request == NULL) { return -2; }",
            *(f"request->{self.members[one]} = C$unset{k};" for k, one in enumerate(self.columns)),
            *(f"request->{self.same(one)} = 2;" for one in self.others),
            f"request->{self.text.length} = -1;" if self.text.length else "",
            "if (text == NULL) { return -2; }",
            "if (length > C$max) { return -1; }",
            "while (L$i < length) { const uint32_t L$b = text[L$i];",
            *(f"{walk}{check}".format(one) for one in ("v", *(f"s{k}" for k in columns))),
            *(
                f"L$d{j} = L$d{j} | (request->{self.kept(one).copy}[L$i] ^ L$b);"
                for j, one in enumerate(self.others)
            ),
            f"request->{self.text.copy}[L$i] = (uint8_t)L$b;" if self.text.copy else "",
            "L$i = L$i + 1u; }",
            "if (A$v_class[L$v] == 0u) { return -1; }",
            *(
                f"request->{self.members[one]} = (int32_t)A$s{k}_class[L$s{k}];"
                for k, one in enumerate(self.columns)
            ),
            f"request->{self.text.length} = (int32_t)length;" if self.text.length else "",
            *(
                f"request->{self.same(one)} = (request->{self.kept(one).length} == -1) ? 2 : "
                f"((L$d{j} == 0u) && (request->{self.kept(one).length} == (int32_t)length)) ? 1 : 0;"
                for j, one in enumerate(self.others)
            ),
            "return 0; }",
        ]

    def kept(self, other: str) -> Text:
        """Where the other text of a pair is kept."""
        return self.texts.named.texts[other]

    def same(self, other: str) -> str:
        """The member that says whether this text and the other are the same."""
        both = (f"same.{self.name}.{other}", f"same.{other}.{self.name}")
        return next(self.members[one] for one in both if one in self.members)

    def scan(self, found: _Found, node: Any) -> Scan:
        """What was found, once its bounds are checked."""
        longest = found.constants["C$max"]
        sizes = [self.text.copy, *(self.kept(one).copy for one in self.others)]
        members, unset = self.texts.header.structs["request"], self.texts.header.unset["request"]
        if any(longest > (members[one].count or 0) for one in sizes if one is not None):
            raise odd(node, f"texts of {longest} bytes do not fit where they are kept")
        if longest > Type.INT32.greatest:
            raise odd(node, "a text longer than its length can say")
        for number, cell in enumerate(self.columns):
            if found.constants[f"C$unset{number}"] != unset[self.members[cell]]:
                raise odd(node, f"`{cell}` is unset to something else than at first")
        names = [f"s{number}" for number in range(len(self.columns))]
        columns = tuple(found.automaton(one, node) for one in names)
        validity, others = found.automaton("v", node), tuple(self.others)
        return Scan(self.name, longest, validity, columns, others, *scan_operations(node))


@dataclass(slots=True)
class _Found(Pattern):
    """What the names of the pattern stand for."""

    texts: Texts = field(kw_only=True)

    def automaton(self, name: str, node: Any) -> Automaton:
        """The arrays of an automaton, whose sizes keep every index inside."""
        symbol, next_, classes = (
            self.array(f"A${name}_{part}", bits, node)
            for part, bits in (("symbol", 8), ("next", 16), ("class", 16))
        )
        shift, states = self.constants[f"C${name}_shift"], self.constants[f"C${name}_states"]
        if not 0 <= shift <= SHIFT_MAX or states < 1 or len(symbol) != 256:
            raise odd(node, "an automaton of a size that none has")
        if len(next_) != (states << shift) + 256 or len(classes) != states:
            raise odd(node, "the arrays of an automaton have not the size that its states ask for")
        return Automaton(symbol, next_, classes, shift, states)

    def array(self, name: str, bits: int, node: Any) -> tuple[int, ...]:
        """The cells of an array."""
        found = self.texts.arrays.get(self.names[name])
        if found is None or found.bits != bits:
            raise ArtefactError(place(node), f"no array `{self.names[name]}` of {bits} bits")
        self.texts.used.add(self.names[name])
        return found.cells
