"""YAML with places: text in, nodes whose every part knows where it stands out.

What always holds: aliases, tags and duplicate keys are refused, so a document is a tree that says each
thing once; faults are collected, not raised, once the document parses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from govlang.dsl.diagnostics import Diagnostics, did_you_mean, fail
from govlang.dsl.source import Source, Span

UNREADABLE: Final = "GOV603"
UNKNOWN_KEY: Final = "GOV602"
WRONG_VALUE: Final = "GOV605"
DEPTH_MAX: Final = 50
PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{t}" for t in ("map", "seq", "str", "bool", "int", "float", "null")
)


class _Loader(yaml.SafeLoader):
    """A loader that refuses aliases and depth: a document cannot unfold to more than it is."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused("aliases (`*name`) are not taken over", event.start_mark)
        if self.depth >= DEPTH_MAX:
            raise _refused("nested too deeply", event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refused(why: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=mark)


def parse_yaml(source: Source) -> yaml.Node:
    """The root node of the only document.

    Raises:
        GovError: GOV603 it does not parse.
    """
    try:
        loader = _Loader(source.text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = None if mark is None else source.span(mark.index, mark.index)
        raise fail(UNREADABLE, f"not YAML: {error.problem or error.context}", span) from None
    except yaml.YAMLError as error:
        raise fail(UNREADABLE, f"not YAML: {str(error).splitlines()[0]}") from None
    if root is None:
        raise fail(UNREADABLE, f"`{source.name}` is empty", source.span(0, 0))
    node: yaml.Node = root
    return node


class NodeReader:
    """Reads the nodes of one document; faults go to `found`."""

    def __init__(self, source: Source, found: Diagnostics) -> None:
        self.source = source
        self.found = found

    def span(self, node: yaml.Node) -> Span:
        """Where a node stands."""
        return self.source.span(node.start_mark.index, node.end_mark.index)

    def fault(self, code: str, message: str, node: yaml.Node, help: str | None = None) -> None:  # noqa: A002  # the word of the format
        """Keep an error about a node."""
        self.found.error(code, message, self.span(node), help=help)

    def mapping(
        self, node: yaml.Node, keys: Iterable[str], homes: Mapping[str, str]
    ) -> dict[str, yaml.Node]:
        """The entries of a mapping that may have these keys; `homes` says where other keys belong."""
        if not isinstance(node, yaml.MappingNode):
            if not is_null(node):
                self.fault(WRONG_VALUE, "expected keys and values here", node)
            return {}
        known = set(keys)
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key)
            if name in entries:
                self.fault(UNREADABLE, f"the key `{name}` stands twice", key)
            elif name in known:
                entries[name] = value
            else:
                self._unknown(name, key, known, homes)
        return entries

    def _unknown(
        self, name: str, key: yaml.Node, known: set[str], homes: Mapping[str, str]
    ) -> None:
        if name in homes:
            self.fault(
                UNKNOWN_KEY, f"`{name}` does not belong here", key, f"it belongs {homes[name]}"
            )
        else:
            near = did_you_mean(name, known)
            listed = ", ".join(f"`{k}`" for k in sorted(known))
            self.fault(UNKNOWN_KEY, f"unknown key `{name}`", key, near or f"known here: {listed}")

    def pairs(self, node: yaml.Node) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """The entries of a mapping with free keys: key, its node, the value."""
        if not isinstance(node, yaml.MappingNode):
            if not is_null(node):
                self.fault(WRONG_VALUE, "expected keys and values here", node)
            return []
        found: dict[str, tuple[str, yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = self.text(key)
            if name in found:
                self.fault(UNREADABLE, f"the key `{name}` stands twice", key)
            else:
                found[name] = (name, key, value)
        return list(found.values())

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        """The items of a list; a scalar is a list of one."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if isinstance(node, yaml.MappingNode):
            self.fault(WRONG_VALUE, "expected a list here", node)
            return []
        return [] if is_null(node) else [node]

    def text(self, node: yaml.Node) -> str:
        """The text of a scalar, as it was written."""
        if not isinstance(node, yaml.ScalarNode):
            self.fault(WRONG_VALUE, "expected a text here", node)
            return ""
        if node.tag not in PLAIN_TAGS:
            self.fault(WRONG_VALUE, f"the tag `{node.tag}` is not taken over", node)
        return str(node.value)

    def texts(self, node: yaml.Node) -> list[str]:
        """The texts of a list of scalars, each once."""
        return list(dict.fromkeys(self.text(item) for item in self.items(node)))

    def truth(self, node: yaml.Node) -> bool:
        """A bool."""
        if node.tag != "tag:yaml.org,2002:bool":
            self.fault(WRONG_VALUE, "expected true or false here", node)
        return str(node.value).lower() in {"true", "yes", "on"}


def is_null(node: yaml.Node) -> bool:
    """Whether a node says nothing."""
    return node.tag == "tag:yaml.org,2002:null"


def is_empty(node: yaml.Node) -> bool:
    """Whether a node, all the way down, says nothing: null, empty lists and mappings of such."""
    match node:
        case yaml.MappingNode():
            return all(is_empty(value) for _, value in node.value)
        case yaml.SequenceNode():
            return not node.value
        case _:
            return is_null(node)
