"""`safety.yaml` in, a policy out: rules in order, the first that matches decides.

The format is that of an agent control plane: rules with `id`, `match` (or `when`), `decision`, `reason`,
`constraints`, `remediations`.  What always holds: whatever the policy says is in the result, or an error
names it and its place; nothing is dropped.  In a topic's glob `*` is any run of characters, dots included,
as it is where the format comes from.
"""

from __future__ import annotations

from typing import Final

import yaml

from govlang.compiler.importers.constraints import read_constraints, read_remediation
from govlang.compiler.importers.safety_match import MATCH_KEYS, MatchReader
from govlang.compiler.importers.trees import header, name, policy_name
from govlang.compiler.importers.yaml_nodes import NodeReader, is_empty, parse_yaml
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics, did_you_mean
from govlang.dsl.source import Source

CANNOT: Final = "GOV601"
UNKNOWN_KEY: Final = "GOV602"
WRONG_VALUE: Final = "GOV605"

TOP_KEYS: Final = frozenset({
    "version", "rules", "default_decision", "default_tenant", "tenants", "input_policy",
    "input_rules", "output_policy", "output_rules", "tier", "selector",
})  # fmt: skip
RULE_KEYS: Final = frozenset({
    "id", "match", "when", "decision", "reason", "constraints", "remediations", "velocity",
    "tier", "selector", "description", "severity",
})  # fmt: skip
HOMES: Final = (
    dict.fromkeys(MATCH_KEYS, "under `match` of a rule")
    | dict.fromkeys(TOP_KEYS - {"tier", "selector"}, "at the top of the file")
    | dict.fromkeys(RULE_KEYS - {"tier", "selector"}, "to a rule, beside `match`")
    | dict.fromkeys(("budgets", "sandbox", "toolchain", "diff", "redaction_level"), "under `constraints` of a rule")
    | dict.fromkeys(("replacement_topic", "replacement_capability", "add_labels"), "to an item of `remediations`")
    | dict.fromkeys(("max_requests", "window_seconds"), "under `velocity` of a rule")
)  # fmt: skip
NOT_CARRIED: Final = {
    "tenants": "write its allow_topics and deny_topics as rules",
    "input_policy": "content scanning stays with the host",
    "input_rules": "content scanning stays with the host",
    "output_policy": "output scanning stays with the host",
    "output_rules": "output scanning stays with the host",
    "tier": "order the rules, highest tier first, in one file",
    "selector": "give each workflow or job its own policy",
}
EFFECTS: Final = {
    "allow": ast.Effect.ALLOW,
    "permit": ast.Effect.ALLOW,
    "deny": ast.Effect.DENY,
    "block": ast.Effect.DENY,
    "require_approval": ast.Effect.REQUIRE_HUMAN,
    "require_human": ast.Effect.REQUIRE_HUMAN,
    "throttle": ast.Effect.THROTTLE,
    "allow_with_constraints": ast.Effect.LIMIT,
}
DEFAULTS: Final = {"allow": ast.Effect.ALLOW, "permit": ast.Effect.ALLOW, "deny": ast.Effect.DENY}
NOTES: Final = (
    "imported from safety.yaml: the first rule that matches decides",
    "texts are compared exactly; where the original ignored case, the host lowers it first",
    "sets are always given, and hold only members that are declared here; the host leaves others out",
    "a label with a threshold is a number; give it the range that it really has",
)


def import_safety_yaml(source: Source, stem: str, default: ast.Effect | None = None) -> ast.Policy:
    """The policy that means what the file says; `default` None: what the file says, else deny.

    Raises:
        GovError: GOV601 something cannot be carried over · GOV602 an unknown or misplaced key · GOV603
            no YAML · GOV604 two things would share a name · GOV605 a value that fits no key.
    """
    found = Diagnostics()
    reader = NodeReader(source, found)
    top = reader.mapping(parse_yaml(source), TOP_KEYS, HOMES)
    _refuse_uncarried(reader, top)
    importer = _Importer(reader)
    rules = [importer.rule(node) for node in reader.items(top["rules"])] if "rules" in top else []
    if not rules:
        found.error(CANNOT, "there are no rules", help="a safety.yaml needs `rules:` with a list")
    written = _default(reader, top.get("default_decision"))
    found.raise_errors()
    return ast.Policy(
        header(policy_name(stem)),
        (
            ast.CombineDecl(ast.Combine.FIRST_MATCH),
            ast.DefaultDecl(default or written),
            ast.InputDecl(importer.matches.fields.declared()),
            *importer.declarations,
            *rules,
        ),
    )


def _refuse_uncarried(reader: NodeReader, entries: dict[str, yaml.Node]) -> None:
    for key, way in NOT_CARRIED.items():
        node = entries.get(key)
        if node is None or is_empty(node):
            continue
        if key == "tier" and reader.text(node).strip().lower() == "global":
            continue
        reader.fault(CANNOT, f"`{key}` cannot be carried over", node, way)


def _default(reader: NodeReader, node: yaml.Node | None) -> ast.Effect:
    if node is None:
        return ast.Effect.DENY
    word = reader.text(node).strip().lower()
    if word not in DEFAULTS:
        reader.fault(WRONG_VALUE, f"`default_decision` must be allow or deny, not `{word}`", node)
    return DEFAULTS.get(word, ast.Effect.DENY)


class _Importer:
    """Reads the rules; gathers the declarations that they need."""

    def __init__(self, reader: NodeReader) -> None:
        self.reader = reader
        self.matches = MatchReader(reader)
        self.declarations: list[ast.Declaration] = []
        self._seen: set[str] = set()

    def rule(self, node: yaml.Node) -> ast.Rule:
        """One rule."""
        entries = self.reader.mapping(node, RULE_KEYS, HOMES)
        _refuse_uncarried(
            self.reader, {k: entries[k] for k in ("tier", "selector") if k in entries}
        )
        if "velocity" in entries and not is_empty(entries["velocity"]):
            self.reader.fault(
                CANNOT,
                "`velocity` cannot be carried over: temporal rules are not part of this version",
                entries["velocity"],
                "let the host count, and pass in a field `from runtime`",
            )
        return ast.Rule(
            name(self._id(node, entries)),
            self._condition(entries),
            self._decision(entries, self._effect(node, entries)),
            self._reason(entries),
            self._remedy(entries),
        )

    def _id(self, node: yaml.Node, entries: dict[str, yaml.Node]) -> str:
        if "id" not in entries:
            self.reader.fault(WRONG_VALUE, "a rule needs an `id`", node, "give it `id: a-name`")
            return ""
        word = self.reader.text(entries["id"])
        if word in self._seen:
            self.reader.fault("GOV604", f"two rules have the id `{word}`", entries["id"])
        self._seen.add(word)
        return word

    def _condition(self, entries: dict[str, yaml.Node]) -> ast.Expr | None:
        given = [entries[key] for key in ("match", "when") if key in entries]
        if len(given) == 2:
            self.reader.fault(UNKNOWN_KEY, "a rule has `match` or `when`, not both", given[1])
        return self.matches.condition(given[0], HOMES) if given else None

    def _effect(self, node: yaml.Node, entries: dict[str, yaml.Node]) -> ast.Effect:
        if "decision" not in entries:
            self.reader.fault(WRONG_VALUE, "a rule needs a `decision`", node)
            return ast.Effect.DENY
        word = self.reader.text(entries["decision"]).strip().lower().replace("-", "_")
        if word not in EFFECTS:
            listed = ", ".join(f"`{e}`" for e in EFFECTS)
            near = did_you_mean(word, EFFECTS)
            self.reader.fault(
                WRONG_VALUE,
                f"unknown decision `{word}`",
                entries["decision"],
                near or f"one of {listed}",
            )
        return EFFECTS.get(word, ast.Effect.DENY)

    def _decision(self, entries: dict[str, yaml.Node], effect: ast.Effect) -> ast.Decision:
        """The effect with its obligations; constraints without a number are an `allow` that does things."""
        obligations = self._obligations(entries, effect)
        if effect is ast.Effect.LIMIT and not isinstance(next(iter(obligations), None), ast.Limit):
            effect = ast.Effect.ALLOW
        return ast.Decision(effect, obligations)

    def _obligations(
        self, entries: dict[str, yaml.Node], effect: ast.Effect
    ) -> tuple[ast.Obligation, ...]:
        node = entries.get("constraints")
        bounded = node is not None and not is_empty(node)
        if effect is not ast.Effect.LIMIT:
            if node is not None and bounded:
                self.reader.fault(
                    UNKNOWN_KEY,
                    "`constraints` does not belong here",
                    node,
                    "it belongs to a rule whose decision is `allow_with_constraints`",
                )
            return (ast.Require(),) if effect is ast.Effect.REQUIRE_HUMAN else ()
        if node is None or not bounded:
            self.reader.fault(
                WRONG_VALUE,
                "`allow_with_constraints` needs `constraints`",
                entries["decision"],
                "add `constraints:` with `budgets:`, or write `allow`",
            )
            return ()
        return read_constraints(self.reader, node, HOMES, self.declarations)

    def _reason(self, entries: dict[str, yaml.Node]) -> ast.String | None:
        keys = ("reason", "description", "severity")
        texts = {key: self.reader.text(entries[key]).strip() for key in keys if key in entries}
        parts = [texts.get("reason", ""), texts.get("description", "")]
        if texts.get("severity"):
            parts.append(f"severity {texts['severity']}")
        joined = "; ".join(part for part in parts if part)
        return ast.String(joined) if joined else None

    def _remedy(self, entries: dict[str, yaml.Node]) -> ast.Remedy | None:
        items = self.reader.items(entries["remediations"]) if "remediations" in entries else []
        for extra in items[1:]:
            self.reader.fault(CANNOT, "a second remediation cannot be carried over", extra)
        return read_remediation(self.reader, items[0], HOMES, self.matches) if items else None
