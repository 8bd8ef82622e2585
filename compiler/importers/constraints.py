"""Constraints and remediations of a safety.yaml rule: YAML in, obligations and their declarations out.

Numbers become limits of outputs, lists and words become actions with a text: the host carries them out or
treats the outcome as deny.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import yaml

from govlang.compiler.importers.safety_match import MatchReader, texts_json
from govlang.compiler.importers.trees import name, number
from govlang.compiler.importers.yaml_nodes import NodeReader, is_empty
from govlang.dsl import ast

CANNOT: Final = "GOV601"
WRONG_VALUE: Final = "GOV605"

GROUPS: Final = {
    "budgets": ("max_runtime_ms", "max_retries", "max_artifact_bytes", "max_concurrent_jobs"),
    "diff": ("max_files", "max_lines", "deny_path_globs"),
    "sandbox": ("isolated", "network_allowlist", "fs_read_only", "fs_read_write"),
    "toolchain": ("allowed_tools", "allowed_commands"),
}
LISTS: Final = frozenset({
    "deny_path_globs", "network_allowlist", "fs_read_only", "fs_read_write", "allowed_tools",
    "allowed_commands",
})  # fmt: skip
NUMBER_MAX: Final = 1_000_000_000_000
_DIGITS: Final = re.compile(r"[0-9]{1,40}")
TEXT_MAX: Final = 4096
REMEDY_KEYS: Final = (
    "id",
    "title",
    "summary",
    "replacement_topic",
    "replacement_capability",
    "add_labels",
    "remove_labels",
)


def read_constraints(
    reader: NodeReader,
    node: yaml.Node,
    homes: Mapping[str, str],
    declarations: list[ast.Declaration],
) -> tuple[ast.Obligation, ...]:
    """The obligations, limits first; what they need is declared in `declarations`, each once."""
    found: list[ast.Obligation] = []
    for key, group in reader.mapping(node, (*GROUPS, "redaction_level"), homes).items():
        if key == "redaction_level":
            found.append(_do("redaction_level", reader.text(group)))
        else:
            entries = reader.mapping(group, GROUPS[key], homes)
            found += [_one(reader, k, v) for k, v in entries.items() if not is_empty(v)]
    limits = [one for one in found if isinstance(one, ast.Limit)]
    _declare(found, declarations)
    return (*limits, *(one for one in found if not isinstance(one, ast.Limit)))


def _one(reader: NodeReader, key: str, node: yaml.Node) -> ast.Limit | ast.Do:
    if key in LISTS:
        return _do(key, texts_json(reader.texts(node)))
    if key == "isolated":
        return _do(key, "true" if reader.truth(node) else "false")
    text = reader.text(node)
    if not (_DIGITS.fullmatch(text) and 0 < int(text) <= NUMBER_MAX):
        message = f"`{key}` must be a whole number from 1 to {NUMBER_MAX}, not `{text[:40]}`"
        reader.fault(WRONG_VALUE, message, node, "write its digits")
        text = "1"
    return ast.Limit(name(key), None, number(int(text)))


def _do(key: str, value: str) -> ast.Do:
    return ast.Do(name(f"set_{key}"), (ast.Argument(name("value"), ast.String(value)),))


def _declare(found: list[ast.Obligation], declarations: list[ast.Declaration]) -> None:
    for one in found:
        declaration = _declaration(one)
        if declaration is not None and declaration not in declarations:
            declarations.append(declaration)


def _declaration(one: ast.Obligation) -> ast.Declaration | None:
    match one:
        case ast.Limit(field=target):
            kind = ast.NumberType(number(0), number(NUMBER_MAX))
            return ast.OutputDecl(ast.Field(target, kind))
        case ast.Do(action=action):
            text = ast.TextType(is_path=False, max_bytes=number(TEXT_MAX))
            return ast.ActionDecl(action, (ast.Field(name("value"), text),))
        case _:
            return None


def read_remediation(
    reader: NodeReader, node: yaml.Node, homes: Mapping[str, str], matches: MatchReader
) -> ast.Remedy:
    """A remedy: its texts joined, its replacements as values of fields."""
    entries = reader.mapping(node, REMEDY_KEYS, homes)
    if "remove_labels" in entries and not is_empty(entries["remove_labels"]):
        reader.fault(CANNOT, "`remove_labels` cannot be carried over", entries["remove_labels"])
    values: list[ast.Argument] = []
    if "replacement_topic" in entries:
        values.append(_argument("topic", reader.text(entries["replacement_topic"])))
    if "replacement_capability" in entries:
        matches.fields.kinds.setdefault("capability", "text")
        values.append(_argument("capability", reader.text(entries["replacement_capability"])))
    for label, key, value in reader.pairs(entries["add_labels"]) if "add_labels" in entries else ():
        values.append(_argument(matches.label_field(label, key), reader.text(value)))
    return ast.Remedy(ast.String(_remedy_text(reader, entries)), tuple(values))


def _argument(word: str, value: str) -> ast.Argument:
    return ast.Argument(name(word), ast.String(value))


def _remedy_text(reader: NodeReader, entries: dict[str, yaml.Node]) -> str:
    keys = ("title", "summary")
    texts = [reader.text(entries[key]).strip() for key in keys if key in entries]
    joined = ": ".join(text for text in texts if text)
    given = reader.text(entries["id"]) if "id" in entries else ""
    return f"{joined} ({given})" if joined and given else joined or given or "try another request"
