"""Clients of a gateway, and guards around Python code; needs httpx and nothing else.

Start with `GovClient` (or `AsyncGovClient`), `guarded` and `guard`; docs/client.md shows each.
"""

from __future__ import annotations

from govlang.client.answers import (
    Answered,
    Approval,
    Beat,
    Job,
    Lease,
    Letter,
    NewToken,
    Observed,
    Page,
    PolicyInfo,
    Reported,
    Ruling,
    Submitted,
    Suspension,
)
from govlang.client.async_client import AsyncGovClient
from govlang.client.block import guard
from govlang.client.client import GovClient
from govlang.client.duties import Range
from govlang.client.errors import (
    ApprovalRequired,
    Conflict,
    Denied,
    Forbidden,
    GovError,
    Invalid,
    LeaseLost,
    NotFound,
    Throttled,
    Unavailable,
)
from govlang.client.guarded import guarded
from govlang.client.leased import ThroughGateway
from govlang.client.local import InProcess
from govlang.client.permit import Permit, current_permit
from govlang.client.sending import Patience

__all__ = [
    "Answered",
    "Approval",
    "ApprovalRequired",
    "AsyncGovClient",
    "Beat",
    "Conflict",
    "Denied",
    "Forbidden",
    "GovClient",
    "GovError",
    "InProcess",
    "Invalid",
    "Job",
    "Lease",
    "LeaseLost",
    "Letter",
    "NewToken",
    "NotFound",
    "Observed",
    "Page",
    "Patience",
    "Permit",
    "PolicyInfo",
    "Range",
    "Reported",
    "Ruling",
    "Submitted",
    "Suspension",
    "Throttled",
    "ThroughGateway",
    "Unavailable",
    "current_permit",
    "guard",
    "guarded",
]
