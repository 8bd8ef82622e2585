"""The precedence graph: rules in, an SVG drawing out.

Tiers are columns, the highest at the left; rules stand in order of precedence; an arrow leads from a rule to
one that it overrides.  A policy with many rules shows the rules that override or are overridden, and counts
the others.
"""

from __future__ import annotations

from html import escape
from typing import Final

import networkx as nx

from govlang.compiler import ir

NODES_MAX: Final = 120
WIDTH: Final = 220
HEIGHT: Final = 34
GAP_X: Final = 90
GAP_Y: Final = 12
MARGIN: Final = 16
HEAD: Final = 30
LABEL_MAX: Final = 26

Place = tuple[float, float]


def precedence_svg(policy: ir.Policy) -> str:
    """The drawing; empty if there are no rules."""
    graph = precedence_graph(policy)
    if not graph:
        return ""
    tiers = {rule.id: rule.tier for rule in policy.rules if rule.id in graph}
    places = _places(tiers)
    width = max(x for x, _ in places.values()) + WIDTH + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT + MARGIN
    parts = [
        *(_head(policy, tiers[name], places[name][0]) for name in _tops(tiers)),
        *(_arrow(places[a], places[b]) for a, b in graph.edges),
        *(_node(policy.rule(name), place) for name, place in places.items()),
    ]
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="precedence of the rules">{ARROW_HEAD}{"".join(parts)}</svg>'
    )


def precedence_graph(policy: ir.Policy) -> nx.DiGraph[str]:
    """Rules as nodes, `overrides` as edges; at most `NODES_MAX` nodes, those with edges first."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for rule in policy.rules:
        graph.add_node(rule.id)
    for rule in policy.rules:
        graph.add_edges_from((rule.id, name) for name in rule.overrides)
    if len(graph) > NODES_MAX:
        linked = [name for name in graph if graph.degree[name]]
        graph = graph.subgraph((linked or list(graph))[:NODES_MAX]).copy()
    return graph


def hidden_rules(policy: ir.Policy) -> int:
    """How many rules the drawing leaves out."""
    return len(policy.rules) - len(precedence_graph(policy))


def _places(tiers: dict[str, int]) -> dict[str, Place]:
    """The upper left corner of each node: a column for each tier, in it the order of precedence."""
    columns = {tier: i for i, tier in enumerate(sorted(set(tiers.values())))}
    rows = dict.fromkeys(columns, 0)
    places: dict[str, Place] = {}
    for name, tier in tiers.items():
        x = MARGIN + columns[tier] * (WIDTH + GAP_X)
        places[name] = (x, MARGIN + HEAD + rows[tier] * (HEIGHT + GAP_Y))
        rows[tier] += 1
    return places


def _tops(tiers: dict[str, int]) -> list[str]:
    """The first rule of each tier."""
    return [
        name for i, (name, tier) in enumerate(tiers.items()) if tier not in list(tiers.values())[:i]
    ]


def tier_name(policy: ir.Policy, tier: int) -> str:
    """What a tier is called."""
    if tier < 0:
        return "invariants"
    return policy.tiers[tier] if tier < len(policy.tiers) else "rules outside of tiers"


def _head(policy: ir.Policy, tier: int, x: float) -> str:
    return f'<text class="tier" x="{x}" y="{MARGIN + 12}">{escape(tier_name(policy, tier))}</text>'


def _node(rule: ir.Rule, place: Place) -> str:
    x, y = place
    label = rule.id if len(rule.id) <= LABEL_MAX else rule.id[: LABEL_MAX - 1] + "…"
    return (
        f'<g class="node {rule.effect.word}"><title>{escape(rule.id)}: {rule.effect.word}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x + 10}" y="{y + 22}">{escape(label)}</text></g>'
    )


def _arrow(start: Place, end: Place) -> str:
    y1, y2 = start[1] + HEIGHT / 2, end[1] + HEIGHT / 2
    if start[0] == end[0]:
        x = start[0] + WIDTH
        bow = x + GAP_X / 2
        path = f"M {x} {y1} C {bow} {y1}, {bow} {y2}, {x} {y2}"
    else:
        forward = start[0] < end[0]
        x1 = start[0] + (WIDTH if forward else 0)
        x2 = end[0] + (0 if forward else WIDTH)
        middle = (x1 + x2) / 2
        path = f"M {x1} {y1} C {middle} {y1}, {middle} {y2}, {x2} {y2}"
    return f'<path class="overrides" d="{path}" marker-end="url(#head)"/>'


ARROW_HEAD: Final = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M 0 0 L 8 4 L 0 8 z"/></marker></defs>'
)
