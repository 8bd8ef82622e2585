"""The page itself: fields, rules, tables, the precedence graph, proofs and gaps, in one file without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Report
from govlang.cli.html.graph import hidden_rules, precedence_svg, tier_name
from govlang.cli.html.tables import PolicyTable
from govlang.compiler import ir
from govlang.compiler.obligations import argument, decimal


def html_page(
    policy: ir.Policy,
    snapshot: str,
    tables: Sequence[PolicyTable],
    definitions: Sequence[str],
    report: Report | None,
) -> str:
    """The page; `report` is what `gov verify --format json` says, if the policy was verified."""
    style = (files("govlang.cli.html") / "page.css").read_text(encoding="utf-8")
    body = "\n".join(_body(policy, snapshot, tables, definitions, report))
    title = escape(f"{policy.name} {policy.version}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n"
        "</main>\n</body>\n</html>\n"
    )


def _body(
    policy: ir.Policy,
    snapshot: str,
    tables: Sequence[PolicyTable],
    definitions: Sequence[str],
    report: Report | None,
) -> Iterator[str]:
    yield f"<h1>{escape(policy.name)} <small>{escape(policy.version)}</small></h1>"
    yield f'<p class="meta"><code>{escape(snapshot)}</code></p>'
    yield f"<p>{escape(_meaning(policy))}</p>"
    if report is not None:
        yield from _verdict(report)
    yield "<h2>What goes in</h2>"
    yield _fields(policy)
    if definitions:
        yield "<h2>Definitions</h2>"
        yield f"<pre>{escape(chr(10).join(definitions))}</pre>"
    yield "<h2>Rules</h2>"
    yield from _rules(policy)
    if tables:
        yield "<h2>Tables</h2>"
        yield from (_table(table) for table in tables)
    yield "<h2>Precedence</h2>"
    yield f'<div class="graph">{precedence_svg(policy)}</div>'
    if hidden := hidden_rules(policy):
        yield f'<p class="meta">{hidden} more rules are not drawn.</p>'
    if report is not None:
        yield from _proofs(policy, report)
        yield from _findings(report)


def _meaning(policy: ir.Policy) -> str:
    """How the rules become one outcome, in a sentence."""
    combined = {
        ir.Combine.STRICT: "The strictest of the rules that hold decides; rules that contradict each other are errors",
        ir.Combine.MOST_RESTRICTIVE: "The strictest of the rules that hold decides",
        ir.Combine.FIRST_MATCH: "The first rule that holds decides",
        ir.Combine.UNIQUE: "The only rule that holds decides",
    }[policy.combine]
    default = {
        ir.Default.ALLOW: "allowed",
        ir.Default.DENY: "denied",
        ir.Default.NONE: "covered by a rule, or denied",
    }[policy.default]
    return f"{combined}. What no rule permits is {default}."


def _verdict(report: Report) -> Iterator[str]:
    errors = sum(f["severity"] == "error" for f in report["findings"])
    warnings = sum(f["severity"] == "warning" for f in report["findings"])
    status = escape(report["status"])
    yield (
        f'<p class="verdict {status}"><strong>{status}</strong> · {len(report["proved"])} proofs · '
        f"{errors} errors · {warnings} warnings</p>"
    )


def _fields(policy: ir.Policy) -> str:
    groups = (
        ("input", policy.fields),
        ("output", policy.outputs),
        ("parameter", tuple(p.field for p in policy.params)),
    )
    defaults = {p.field.name: f"usually {argument(p.default, p.field)}" for p in policy.params}
    rows = [
        (
            f"<code>{escape(one.name)}</code>",
            kind,
            escape(field_type(one)),
            escape(defaults.get(one.name, "") if kind == "parameter" else _marks(one)),
        )
        for kind, fields in groups
        for one in fields
    ]
    return _grid(("name", "", "type", ""), rows)


def field_type(field: ir.Field) -> str:
    """The type of a field as an author reads it."""
    match field.kind:
        case ir.Kind.NUMBER:
            ends = f"{decimal(field.lo, field)} … {decimal(field.hi, field)}"
            return f"{ends} {field.unit}, in steps of {decimal(1, field)}".replace(" ,", ",")
        case ir.Kind.ENUM:
            return "one of " + ", ".join(field.members)
        case ir.Kind.SET:
            return "any of " + ", ".join(field.members)
        case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
            return f"{field.kind.value}, up to {field.max_bytes} bytes"
        case _:
            return field.kind.value


def _marks(field: ir.Field) -> str:
    marks = ["optional"] if field.optional else []
    marks += ["private"] if field.private else []
    marks += ["set by the host"] if field.origin is not ir.Origin.REQUEST else []
    return ", ".join(marks)


def _rules(policy: ir.Policy) -> Iterator[str]:
    tier: int | None = None
    for rule in policy.rules:
        if rule.kind is ir.RuleKind.ROW:
            continue
        if rule.tier != tier:
            tier = rule.tier
            yield f"<h3>{escape(tier_name(policy, tier))}</h3>"
        yield _rule(rule)


def _rule(rule: ir.Rule) -> str:
    source = escape(rule.span.text) if rule.span is not None else ""
    because = f"<p>{escape(rule.because)}</p>" if rule.because else ""
    return (
        f'<article class="rule {rule.effect.word}" id="rule-{escape(rule.id, quote=True)}">'
        f'<h4>{escape(rule.id)} <span class="effect">{rule.effect.word.replace("_", " ")}</span></h4>'
        f"{because}<pre>{source}</pre></article>"
    )


def _table(table: PolicyTable) -> str:
    cells = [tuple(escape(cell) for cell in row) for row in table.rows]
    return f"<h3>{escape(table.name)}</h3>{_grid(table.headings, cells)}"


def _proofs(policy: ir.Policy, report: Report) -> Iterator[str]:
    yield "<h2>Proofs</h2>"
    spans = {p.name: p.span.text for p in policy.properties if p.span is not None}
    rows = [
        (
            f"<code>{escape(proof['property'])}</code>",
            f"<pre>{escape(spans.get(proof['property'], ''))}</pre>",
            escape(proof["method"]),
        )
        for proof in report["proved"]
    ]
    yield (
        _grid(("proved", "what", "how"), rows) if rows else "<p>Nothing was asked to be proved.</p>"
    )


def _findings(report: Report) -> Iterator[str]:
    for head, kinds in (("Gaps", {"gap"}), ("Findings", None)):
        found = [f for f in report["findings"] if (f["kind"] == "gap") == (kinds is not None)]
        if found:
            yield f"<h2>{head}</h2>"
            yield from (_finding(f) for f in found)


def _finding(finding: dict[str, Any]) -> str:
    help_line = f"<p>{escape(finding['help'])}</p>" if finding.get("help") else ""
    trace = (finding.get("witness") or {}).get("trace") or ()
    shown = "".join(f"<pre>{escape(json_text(step))}</pre>" for step in trace)
    return (
        f'<article class="finding {finding["severity"]}"><h4>{escape(finding["code"])} '
        f"{escape(finding['message'])}</h4>{help_line}{shown}</article>"
    )


def _grid(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; the cells are HTML already."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
