"""Signatures of bundles: DSSE envelopes (secure-systems-lab/dsse, protocol 1.0) with Ed25519.

In: the manifest's bytes and a key in PEM.  Out: the envelope as canonical JSON, or a refusal.  The
manifest holds the hash of every other part, so its signature covers the bundle.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Final

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from govlang.native.errors import BundleError, CodedError

PAYLOAD_TYPE: Final = "application/vnd.govlang.manifest+json"


def sign(manifest: bytes, key_pem: bytes) -> bytes:
    """The envelope around a manifest, signed with a private key.

    Raises:
        CodedError: GOV406 the key is no Ed25519 private key in PEM without a password.
    """
    key = _private_key(key_pem)
    sig = key.sign(_authenticated(manifest))
    entry = {"keyid": key_id(key.public_key()), "sig": base64.b64encode(sig).decode()}
    payload = base64.b64encode(manifest).decode()
    return rfc8785.dumps({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": [entry]})


def check_signature(envelope: bytes | None, manifest: bytes, key_pem: bytes) -> None:
    """Refuse unless the envelope holds this manifest and a signature of this public key.

    Raises:
        BundleError: GOV405 there is no signature, or it does not match.
        CodedError: GOV406 the key is no Ed25519 public key in PEM.
    """
    key = _public_key(key_pem)
    if envelope is None:
        raise _unsigned("is missing, and a signature is required")
    payload, signatures = _open(envelope)
    if payload != manifest:
        raise _unsigned("was made for another manifest")
    if not any(_verifies(key, signature, manifest) for signature in signatures):
        raise _unsigned("does not match the key")


def check_key(key_pem: bytes) -> None:
    """Refuse what is no public key that signatures could be checked with.

    Raises:
        CodedError: GOV406 the key is no Ed25519 public key in PEM.
    """
    _public_key(key_pem)


def key_id(key: Ed25519PublicKey) -> str:
    """The name of a public key: the SHA-256 of its 32 bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def _authenticated(payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _open(envelope: bytes) -> tuple[bytes, list[bytes]]:
    try:
        plain: Any = json.loads(envelope)
        if plain["payloadType"] != PAYLOAD_TYPE:
            raise _unsigned("is of another kind")
        payload = base64.b64decode(plain["payload"], validate=True)
        signatures = [base64.b64decode(s["sig"], validate=True) for s in plain["signatures"]]
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise _unsigned("is no DSSE envelope") from None
    return payload, signatures


def _verifies(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, _authenticated(manifest))
    except InvalidSignature:
        return False
    return True


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _no_key("private") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key("private")
    return key


def _public_key(pem: bytes) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _no_key("public") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key("public")
    return key


def _no_key(kind: str) -> CodedError:
    way = "openssl genpkey -algorithm ed25519 -out key.pem"
    if kind == "public":
        way = "openssl pkey -in key.pem -pubout -out key.pub.pem"
    return CodedError(
        "GOV406", f"the key is no Ed25519 {kind} key in PEM", f"make one with `{way}`"
    )


def _unsigned(message: str) -> BundleError:
    return BundleError("GOV405", "signature", message, "sign with `gov build --key KEY`")
