"""The routes of operators and auditors."""

from __future__ import annotations

from typing import Final

from govlang.runtime.control.tokens import Role
from govlang.runtime.http import bodies, replies
from govlang.runtime.http.route import Load, Route

OPERATOR: Final = frozenset({Role.OPERATOR})
EITHER: Final = frozenset({Role.AUDITOR, Role.OPERATOR})

OPERATE: Final = (
    Route(
        "POST",
        "/v1/agents/{agent}/suspend",
        "suspend",
        "Suspend an agent: all it asks is denied, what is in flight is cancelled.",
        OPERATOR,
        Load.OPERATE,
        lambda s, a: s.suspend(a.caller, a.path["agent"], a.body["reason"]),
        200,
        replies.Suspended,
        body=bodies.Why,
    ),
    Route(
        "POST",
        "/v1/agents/{agent}/reinstate",
        "reinstate",
        "Let a suspended agent ask again.",
        OPERATOR,
        Load.OPERATE,
        lambda s, a: s.reinstate(a.caller, a.path["agent"], a.body["reason"]),
        200,
        replies.Suspended,
        body=bodies.Why,
    ),
    Route(
        "POST",
        "/v1/breakers/{dependency}/force-open",
        "force_open",
        "Hold a breaker open until it is released.",
        OPERATOR,
        Load.OPERATE,
        lambda s, a: s.force_open(a.caller, a.path["dependency"], a.body["reason"]),
        200,
        replies.Breaker,
        body=bodies.Why,
    ),
    Route(
        "POST",
        "/v1/breakers/{dependency}/release",
        "release",
        "Release a breaker that was held open.",
        OPERATOR,
        Load.OPERATE,
        lambda s, a: s.release(a.caller, a.path["dependency"], a.body["reason"]),
        200,
        replies.Breaker,
        body=bodies.Why,
    ),
    Route(
        "GET",
        "/v1/tokens",
        "tokens",
        "Every token, without its secret.",
        OPERATOR,
        Load.READ,
        lambda s, a: s.tokens(a.caller),
        200,
        replies.Tokens,
    ),
    Route(
        "POST",
        "/v1/tokens",
        "create_token",
        "Make a token; its text is in this answer and nowhere else.",
        OPERATOR,
        Load.OPERATE,
        lambda s, a: s.create_token(a.caller, a.body),
        201,
        replies.NewToken,
        body=bodies.CreateToken,
    ),
    Route(
        "POST",
        "/v1/tokens/{token_id}/revoke",
        "revoke_token",
        "Revoke a token; it is nobody's from this answer on.",
        OPERATOR,
        Load.OPERATE,
        lambda s, a: s.revoke_token(a.caller, a.path["token_id"]),
        200,
        replies.Token,
    ),
)

EVIDENCE: Final = (
    Route(
        "GET",
        "/v1/evidence/checkpoint",
        "checkpoint",
        "The newest checkpoint, a signed note (C2SP).",
        EITHER,
        Load.READ,
        lambda s, a: s.checkpoint(a.caller),
        200,
        None,
        ("not_found",),
    ),
    Route(
        "GET",
        "/v1/evidence/records",
        "records",
        "Records of the ledger, at most 1 000 at a time.",
        EITHER,
        Load.READ,
        lambda s, a: s.records(a.caller, a.query["first"], a.query["last"]),
        200,
        replies.Records,
        query=bodies.Range,
        in_thread=True,
    ),
    Route(
        "GET",
        "/v1/evidence/proof",
        "proof",
        "That a record is in the tree, or that one tree is the start of another (RFC 6962).",
        EITHER,
        Load.READ,
        lambda s, a: s.proof(a.caller, {n: v for n, v in a.query.items() if v is not None}),
        200,
        replies.Proved,
        query=bodies.Proof,
        in_thread=True,
    ),
)
