"""The page of the interface: the OpenAPI document in, HTML out; it asks no other host for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font: 600 1rem ui-monospace, monospace; margin: 0; display: inline; }
details { border-top: 1px solid #8884; padding: .6rem 0; }
summary { cursor: pointer; }
pre { overflow: auto; padding: .6rem; background: #8881; }
table { border-collapse: collapse; } td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
:root { color-scheme: light dark; }
"""


def page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>",
            '<p>As a document: <a href="/openapi.json">/openapi.json</a></p>',
            *_operations(document["paths"]),
            "<h1>Bodies</h1>",
            *_schemas(document["components"]["schemas"]),
            "</body></html>",
        )
    )


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield f"<details><summary><h2>{method.upper()} {escape(path)}</h2> "
            yield f"{escape(operation['summary'])}</summary>"
            yield f"<p>{escape(operation.get('description', 'Open to everybody.'))}</p><table>"
            for one in operation["parameters"]:
                shown = escape(json.dumps(one["schema"]))
                yield f"<tr><td>{one['in']} <code>{escape(one['name'])}</code></td><td>{shown}</td></tr>"
            if "requestBody" in operation:
                yield f"<tr><td>body</td><td>{_links(operation['requestBody'])}</td></tr>"
            for status, response in operation["responses"].items():
                said = escape(response["description"])
                yield f"<tr><td>{status}</td><td>{said} {_links(response)}</td></tr>"
            yield "</table></details>"


def _links(holder: dict[str, Any]) -> str:
    """The kinds of a body, and the schemas that it has."""
    said = []
    for kind, content in holder["content"].items():
        said.append(escape(kind))
        for one in content["schema"].get("oneOf", [content["schema"]]):
            if "$ref" in one:
                name = escape(one["$ref"].rpartition("/")[2])
                said.append(f'<a href="#{name}">{name}</a>')
    return " ".join(said)


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        shown = escape(json.dumps(schema, ensure_ascii=False, indent=2))
        yield f'<details id="{escape(name)}"><summary><h2>{escape(name)}</h2></summary>'
        yield f"<pre>{shown}</pre></details>"
