"""The application against its own document: schemathesis makes requests from it and checks every answer."""

from __future__ import annotations

import pytest
import schemathesis
from fake_service import bearer, fake_app
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", fake_app(rate_burst=1_000_000))
UNSAYABLE = {
    "publish",  # random bytes are no bundle
    "proof",  # of four parameters two belong together
}
"""Operations where a document cannot say all that good data are."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def keeps_to_its_document(case: schemathesis.Case) -> None:
    name = case.operation.definition.raw["operationId"]
    excluded = [positive_data_acceptance] if name in UNSAYABLE else []
    headers = {"Authorization": bearer("every")["authorization"]}
    case.call_and_validate(headers=headers, excluded_checks=excluded)


@SCHEMA.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_interface_keeps_to_its_document(case: schemathesis.Case) -> None:
    keeps_to_its_document(case)


@pytest.mark.long
@SCHEMA.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_interface_keeps_to_its_document_at_length(case: schemathesis.Case) -> None:
    keeps_to_its_document(case)
