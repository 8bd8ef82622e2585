"""The OpenAPI 3.1 document, made from the table of routes.

What always holds: whatever a route may answer stands in it, each status with the codes of its problems; every object is
closed, but for the few whose members somebody else defines (fields of a policy, payloads), which are components.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from govlang.runtime.control.answer import BY_THE_SERVICE, PROBLEMS, TYPE_PREFIX
from govlang.runtime.http import replies, values
from govlang.runtime.http.route import Route

Schema = dict[str, Any]

REF: Final = "#/components/schemas/"
LIMIT: Final = values.JSON_NUMBER_MAX
ANY_JSON: Final[Schema] = {
    "description": "Any JSON; numbers within ±(2^53 - 1), greater ones are sent as text.",
    "anyOf": [
        {"type": ["null", "boolean", "string"]},
        {"type": "number", "minimum": -LIMIT, "maximum": LIMIT},
        {"type": "array", "items": {"$ref": REF + "AnyJson"}},
        {"type": "object", "additionalProperties": {"$ref": REF + "AnyJson"}},
    ],
}
FIELD_VALUE: Final[Schema] = {
    "description": "A value of a field as the policy declares it; numbers are taken exactly as written.",
    "anyOf": [
        {"type": ["null", "boolean", "string", "number"]},
        {"type": "array", "items": {"$ref": REF + "FieldValue"}},
        {"type": "object", "additionalProperties": {"$ref": REF + "FieldValue"}},
    ],
}
PATTERNS: Final[Mapping[str, str]] = {
    "job_id": values.JOB_ID_PATTERN,
    "run_id": values.NAME_PATTERN,
    "approval_id": values.APPROVAL_ID_PATTERN,
    "lease_id": values.LEASE_ID_PATTERN,
    "token_id": values.TOKEN_ID_PATTERN,
    "pool": values.NAME_PATTERN,
    "dependency": values.NAME_PATTERN,
    "agent": values.AGENT_PATTERN,
}
"""What a part of a path looks like; anything else is not found."""


def document(routes: Iterable[Route]) -> Schema:
    """The document of these routes."""
    table = tuple(routes)
    paths: dict[str, Schema] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "govlang control plane",
            "version": "1",
            "description": "Every job of every agent, decided before it is stored and again before it runs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _components(table),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> Schema:
    made: Schema = {
        "operationId": route.name,
        "summary": route.does,
        "parameters": [*_parameters(route)],
        "responses": _responses(route),
    }
    if route.roles:
        made["security"] = [{"token": []}]
        made["description"] = "Roles: " + ", ".join(sorted(route.roles)) + "."
    if route.body is not None:
        made["requestBody"] = _content("application/json", {"$ref": REF + route.body.__name__})
        made["requestBody"]["required"] = True
    elif route.takes_bytes:
        made["requestBody"] = _content("application/octet-stream", {})
        made["requestBody"]["required"] = True
    return made


def _content(kind: str, schema: Schema) -> Schema:
    return {"content": {kind: {"schema": schema}}}


def _parameters(route: Route) -> Iterable[Schema]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield _parameter("path", name, {"type": "string", "pattern": PATTERNS[name]}, required=True)
    if route.takes_key:
        pattern = {"type": "string", "pattern": "^[!-~]{1,200}$"}
        yield _parameter("header", "Idempotency-Key", pattern, required=True)
    if route.query is not None:
        plain = _closed(route.query.model_json_schema(by_alias=True))
        for name, schema in plain["properties"].items():
            yield _parameter("query", name, _not_null(schema), required=False)


def _parameter(place: str, name: str, schema: Schema, *, required: bool) -> Schema:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _not_null(schema: Schema) -> Schema:
    """The schema of a parameter, which is there or not, but never null."""
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        return options[0]  # type: ignore[no-any-return]  # a schema is a dict
    return schema


def _responses(route: Route) -> Schema:
    made: Schema = {str(route.status): {"description": HTTPStatus(route.status).phrase}}
    if route.answer is not None:
        made[str(route.status)] |= _content(
            "application/json", {"$ref": REF + route.answer.__name__}
        )
    else:
        made[str(route.status)] |= _content(
            *TEXTS.get(route.name, ("text/plain", {"type": "string"}))
        )
    by_status: dict[int, list[str]] = {}
    for code in route.codes():
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for status, codes in by_status.items():
        refs = [{"$ref": REF + _problem_name(code)} for code in codes]
        made[str(status)] = {
            "description": " · ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
            **_content("application/problem+json", refs[0] if len(refs) == 1 else {"oneOf": refs}),
        }
    return made


TEXTS: Final[Mapping[str, tuple[str, Schema]]] = {
    "openapi": ("application/json", {"type": "object", "additionalProperties": {}}),
    "docs": ("text/html", {"type": "string"}),
}
"""The kinds of answers that are not made from a model."""


def _problem_name(code: str) -> str:
    return "Problem_" + code


def _components(routes: tuple[Route, ...]) -> Schema:
    models: list[tuple[type[BaseModel], Any]] = [(replies.Problem, "validation")]
    models += [(r.answer, "validation") for r in routes if r.answer is not None]
    models += [(r.body, "validation") for r in routes if r.body is not None]
    _, made = models_json_schema(
        list(dict.fromkeys(models)), by_alias=True, ref_template=REF + "{model}"
    )
    found: Schema = _closed(made["$defs"])
    shape = found.pop("Problem")
    for code, kind in PROBLEMS.items():
        fixed = {
            "type": {"const": TYPE_PREFIX + code},
            "title": {"const": kind.title},
            "status": {"const": kind.status},
            "code": {"const": code},
        }
        told = [] if code in BY_THE_SERVICE else ["field", "expected"]
        named = {name: {"type": "string", "title": name.title()} for name in told}
        found[_problem_name(code)] = {
            **shape,
            "title": code,
            "properties": {**shape["properties"], **named, **fixed},
            "required": [*shape["required"], *told],
        }
    return {**found, "AnyJson": ANY_JSON, "FieldValue": FIELD_VALUE}


def _closed(schema: Any) -> Any:
    """A schema with the placeholders of `values.py` filled in."""
    match schema:
        case {"x-any-json": True, **rest}:
            return {**_closed(rest), "$ref": REF + "AnyJson"}
        case {"x-field-value": True}:
            return {"$ref": REF + "FieldValue"}
        case {"patternProperties": _, **rest} if "additionalProperties" not in rest:
            return _closed({**schema, "additionalProperties": False})
        case dict():
            return {name: _closed(one) for name, one in schema.items() if name != "$defs"}
        case list():
            return [_closed(one) for one in schema]
        case _:
            return schema
