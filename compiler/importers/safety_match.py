"""The `match` part of a safety.yaml rule: YAML in, a condition and the fields that it reads out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

import yaml

from govlang.compiler.importers.trees import (
    all_of,
    any_of,
    is_word,
    members,
    name,
    negated,
    number,
    one_of_texts,
)
from govlang.compiler.importers.yaml_nodes import NodeReader, is_empty
from govlang.compiler.ir import SET_MEMBERS_MAX
from govlang.dsl import ast

CANNOT: Final = "GOV601"
CLASH: Final = "GOV604"
WRONG_VALUE: Final = "GOV605"

TEXTS: Final = {
    "tenants": "tenant",
    "capabilities": "capability",
    "pack_ids": "pack_id",
    "actor_ids": "actor_id",
    "actor_types": "actor_type",
    "agent_risk_tiers": "agent_risk_tier",
}
"""Keys whose list holds texts one of which the field must be."""

SETS: Final = {
    "risk_tags": ("risk_tags", ast.Quantifier.ANY),
    "requires": ("requires", ast.Quantifier.ALL),
    "agent_data_classifications": ("agent_data_classifications", ast.Quantifier.ANY),
}
NOT_CARRIED: Final = {
    "predicate": "delegation is decided by the host",
    "delegation": "delegation is decided by the host",
    "mcp": "give the server and tool as labels and match those",
}
MATCH_KEYS: Final = frozenset({
    "topic", "topics", *TEXTS, *SETS, "labels", "label_allowlist", "label_threshold",
    "secrets_present", *NOT_CARRIED,
})  # fmt: skip
BOUND: Final = 1_000_000_000
"""How far a label with a threshold may go to either side; said in a comment of the result."""


@dataclass(slots=True)
class Fields:
    """The input fields that the rules read, in the order in which they were met."""

    kinds: dict[str, str] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Decimal] = field(default_factory=dict)

    def declared(self) -> tuple[ast.Field, ...]:
        """Their declarations; `topic` first, and always there."""
        kinds = {"topic": "topic"} | self.kinds
        return tuple(self._declaration(word, kind) for word, kind in kinds.items())

    def _declaration(self, word: str, kind: str) -> ast.Field:
        match kind:
            case "topic":
                return ast.Field(name(word), ast.TextType(is_path=False))
            case "set":
                listed = tuple(name(member) for member in self.members[word])
                return ast.Field(name(word), ast.SetType(listed))
            case "bool":
                return ast.Field(name(word), ast.PlainType(ast.Plain.BOOL))
            case "number":
                step = number(self.steps[word])
                kind_ = ast.NumberType(number(-BOUND), number(BOUND), step)
                return ast.Field(name(word), kind_, optional=True)
            case _:
                return ast.Field(name(word), ast.TextType(is_path=False), optional=True)


class MatchReader:
    """Reads `match` mappings; all rules of a file share its fields."""

    def __init__(self, reader: NodeReader) -> None:
        self.reader = reader
        self.fields = Fields()

    def condition(self, node: yaml.Node, homes: Mapping[str, str]) -> ast.Expr | None:
        """The condition of a rule; None if it always matches."""
        entries = self.reader.mapping(node, MATCH_KEYS, homes)
        parts: list[ast.Expr] = []
        for key, value in entries.items():
            if not is_empty(value):
                parts += self._parts(key, value)
        return all_of(parts)

    def _parts(self, key: str, node: yaml.Node) -> list[ast.Expr]:
        match key:
            case "topic" | "topics":
                return [self._topics(node)]
            case "labels":
                return [self._label(*pair) for pair in self.reader.pairs(node)]
            case "label_allowlist":
                return [any_of([self._outside(*pair) for pair in self.reader.pairs(node)])]
            case "label_threshold":
                return [any_of([self._above(*pair) for pair in self.reader.pairs(node)])]
            case "secrets_present":
                present = name(self._field("secrets_present", "bool", node))
                return [present if self.reader.truth(node) else negated(present)]
            case _ if key in NOT_CARRIED:
                self.reader.fault(CANNOT, f"`{key}` cannot be carried over", node, NOT_CARRIED[key])
                return []
            case _ if key in SETS:
                return [self._set(*SETS[key], node)]
            case _:
                word = self._field(TEXTS[key], "text", node)
                return [ast.Has(name(word)), one_of_texts(word, self.reader.texts(node))]

    def _field(self, word: str, kind: str, node: yaml.Node) -> str:
        """Note that a field is read; the same name for two kinds of things is a clash."""
        known = self.fields.kinds.get(word, kind)
        if known != kind:
            self.reader.fault(CLASH, f"`{word}` is used as a {known} and as a {kind}", node)
        self.fields.kinds.setdefault(word, kind)
        return word

    def _topics(self, node: yaml.Node) -> ast.Expr:
        exact: list[str] = []
        parts: list[ast.Expr] = []
        for item in self.reader.items(node):
            topic = self.reader.text(item).strip()
            if any(sign in topic for sign in "?[]\\"):
                self.reader.fault(
                    CANNOT, f"the glob `{topic}` cannot be carried over", item, "only `*` is known"
                )
            elif "*" in topic:
                glob = "**".join(part for part in topic.replace("**", "*").split("*"))
                parts.append(ast.Like(name("topic"), ast.String(glob)))
            else:
                exact.append(topic)
        exact = list(dict.fromkeys(exact))
        return any_of(
            [*([one_of_texts("topic", exact)] if exact else []), *parts] or [ast.Bool(True)]
        )

    def _set(self, word: str, quantifier: ast.Quantifier, node: yaml.Node) -> ast.Expr:
        self._field(word, "set", node)
        asked = self.reader.texts(node)
        universe = self.fields.members.setdefault(word, {})
        universe.update(dict.fromkeys(asked))
        if len(universe) > SET_MEMBERS_MAX:
            message = f"`{word}` has more than {SET_MEMBERS_MAX} members in all"
            self.reader.fault(CANNOT, message, node, "split the list into two fields")
        return ast.Contains(name(word), quantifier, members(asked))

    def label_field(self, label: str, key: yaml.Node, kind: str = "label") -> str:
        """The field of a label: its name with `-` turned to `_`; a clash is an error."""
        word = label.replace("-", "_")
        if not is_word(word):
            self.reader.fault(
                CANNOT, f"the label `{label}` cannot be a field's name", key, "rename it"
            )
        other = self.fields.labels.setdefault(word, label)
        if other != label or word == "topic":
            shown = "the topic" if word == "topic" else f"the label `{other}`"
            self.reader.fault(CLASH, f"the label `{label}` would have the name of {shown}", key)
        return self._field(word, kind, key)

    def _label(self, label: str, key: yaml.Node, value: yaml.Node) -> ast.Expr:
        word = self.label_field(label, key)
        wanted = self.reader.text(value)
        equal = ast.Compare("==", name(word), ast.String(wanted))
        has = ast.Has(name(word))
        return any_of([negated(has), equal]) if not wanted else _both(has, equal)

    def _outside(self, label: str, key: yaml.Node, value: yaml.Node) -> ast.Expr:
        word = self.label_field(label, key)
        inside = one_of_texts(word, self.reader.texts(value) or [""])
        return _both(ast.Has(name(word)), negated(inside))

    def _above(self, label: str, key: yaml.Node, value: yaml.Node) -> ast.Expr:
        word = self.label_field(label, key, "number")
        bound = self._decimal(value)
        step = min(Decimal(1).scaleb(int(bound.as_tuple().exponent)), Decimal(1))
        self.fields.steps[word] = min(step, self.fields.steps.get(word, Decimal("0.001")))
        above = ast.Compare(">", name(word), _signed(bound))
        return _both(ast.Has(name(word)), above)

    def _decimal(self, node: yaml.Node) -> Decimal:
        text = self.reader.text(node)
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or abs(value) > BOUND or int(value.as_tuple().exponent) < -6:
            self.reader.fault(WRONG_VALUE, f"`{text}` is no threshold", node)
            return Decimal(0)
        return Decimal(f"{value.normalize():f}")


def _both(left: ast.Expr, right: ast.Expr) -> ast.Expr:
    return ast.Logical("and", (left, right))


def _signed(value: Decimal) -> ast.Expr:
    """A number in an expression, where a sign is an operator."""
    return ast.Unary("-", number(-value)) if value < 0 else number(value)


def texts_json(texts: Sequence[str]) -> str:
    """A list of texts as one text: JSON."""
    import json

    return json.dumps(list(texts), ensure_ascii=False)
