"""The OpenAPI document, and answers held against it."""

from __future__ import annotations

from typing import Any

from asgi_call import Reply
from http_samples import ALL
from jsonschema import Draft202012Validator

from govlang.runtime.http.openapi import document
from govlang.runtime.http.route import Route

DOCUMENT = document(ALL)


def validator(ref: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**ref, "components": DOCUMENT["components"]})


def conforms(route: Route, reply: Reply) -> None:
    """The reply's status is listed for the route, and its body is what the document says."""
    responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    assert str(reply.status) in responses, reply.body
    content = responses[str(reply.status)]["content"]
    kind = reply.headers["content-type"].partition(";")[0]
    assert kind in content
    if kind.endswith("json"):
        validator(content[kind]["schema"]).validate(reply.json)
