from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from odd_trees import exchanged

from govlang.cli.compiled import compile_policy
from govlang.compiler import ir
from govlang.compiler.bundle import Contents, bundle_bytes
from govlang.compiler.core import core_json
from govlang.native.container import pack, unpack
from govlang.native.errors import BundleError, CodedError
from govlang.native.manifest import Proof
from govlang.runtime.bundle import load_bundle, read_bundle
from govlang.runtime.policy import Policy

POLICY = ir.Policy(
    name="tiny",
    version="1.0.0",
    language=1,
    combine=ir.Combine.STRICT,
    default=ir.Default.DENY,
    fields=(
        ir.Field("x", ir.Kind.NUMBER, 0, 10, 1, 10, "kg"),
        ir.Field("s", ir.Kind.SET, 0, 2**64 - 1, members=tuple(f"m{i}" for i in range(64))),
    ),
    rules=(ir.Rule("r", ir.InRanges("x", ((0, 5),)), ir.Effect.ALLOW),),
)


def contents(**changes: object) -> Contents:
    proof = Proof(property="p", kind="property", method="z3", verdict="proved")
    given: dict[str, object] = {
        "policy": POLICY,
        "core": core_json(POLICY),
        "source": b"language 1\n",
        "table": b"table",
        "table_version": "1.0",
        "proofs": (proof,),
    }
    return Contents(**(given | changes))  # type: ignore[arg-type]


def keys() -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


def test_what_is_written_is_read_back() -> None:
    bundle = read_bundle(bundle_bytes(contents()))
    assert (bundle.table, bundle.source, bundle.core) == (
        b"table",
        "language 1\n",
        core_json(POLICY),
    )
    assert bundle.manifest.schema_.fields[1].hi == str(2**64 - 1)
    assert bundle.manifest.proof_hash.startswith("sha256:")


def test_equal_inputs_give_equal_bytes() -> None:
    assert bundle_bytes(contents()) == bundle_bytes(contents())


def test_any_zip_tool_reads_a_bundle() -> None:
    archive = zipfile.ZipFile(io.BytesIO(bundle_bytes(contents())))
    assert archive.testzip() is None
    assert archive.namelist() == ["manifest.json", "core.json", "policy.gov", "table.bin"]
    assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())


def test_every_flipped_bit_is_refused() -> None:
    private, public = keys()
    data = bundle_bytes(contents(), private)
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(BundleError):
            read_bundle(bytes(changed), public_key=public)


def test_every_truncation_and_extension_is_refused() -> None:
    data = bundle_bytes(contents())
    for size in range(len(data)):
        with pytest.raises(BundleError):
            read_bundle(data[:size])
    with pytest.raises(BundleError):
        read_bundle(data + b"\0")


def tampered(name: str, content: bytes) -> bytes:
    return pack(unpack(bundle_bytes(contents())) | {name: content})


@pytest.mark.parametrize(
    ("data", "part", "code"),
    [
        (b"", "archive", "GOV401"),
        (b"PK", "archive", "GOV401"),
        (b"PK\x03\x04" + b"\0" * 10, "archive", "GOV401"),
        (tampered("table.bin", b"other"), "table.bin", "GOV404"),
        (tampered("table.bin", b"longer table"), "table.bin", "GOV404"),
        (tampered("policy.wasm", b"\0asm"), "policy.wasm", "GOV404"),
        (tampered("manifest.json", b"{}"), "manifest.json", "GOV402"),
        (tampered("manifest.json", b"[" * 100_000), "manifest.json", "GOV402"),
        (tampered("manifest.json", b'{"major": 2}'), "manifest.json", "GOV403"),
        (pack({"manifest.json": b"{}"}), "core.json", "GOV404"),
    ],
)
def test_what_does_not_add_up_is_refused_by_name(data: bytes, part: str, code: str) -> None:
    with pytest.raises(BundleError) as caught:
        read_bundle(data)
    assert (caught.value.part, caught.value.code) == (part, code)


def test_a_core_of_another_snapshot_is_refused() -> None:
    data = bundle_bytes(contents())
    other = bundle_bytes(contents(core=core_json(POLICY).replace(b"tiny", b"tinx")))
    assert read_bundle(data)
    with pytest.raises(BundleError, match=r"core\.json"):
        read_bundle(other)


def test_a_manifest_with_other_spacing_is_refused() -> None:
    parts = unpack(bundle_bytes(contents()))
    with pytest.raises(BundleError, match="canonically"):
        read_bundle(pack(parts | {"manifest.json": parts["manifest.json"] + b"\n"}))


def test_a_part_that_stands_twice_is_refused() -> None:
    entry = struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(b""), 0, 0, 9, 0
    )
    with pytest.raises(BundleError, match="twice"):
        unpack((entry + b"table.bin") * 2)


def test_a_manifest_with_any_value_exchanged_is_read_or_refused() -> None:
    """Checksums and layout are made right again; only `BundleError` may come out."""
    parts = unpack(bundle_bytes(contents()))
    plain = json.loads(parts["manifest.json"])
    refused = 0
    for tree in exchanged(plain):
        text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
        try:
            read_bundle(pack(parts | {"manifest.json": text.encode()}))
        except BundleError:
            refused += 1
    assert refused > 400


def test_a_signature_is_demanded_and_checked() -> None:
    private, public = keys()
    signed = bundle_bytes(contents(), private)
    assert read_bundle(signed, public_key=public)
    with pytest.raises(BundleError, match="GOV405"):
        read_bundle(bundle_bytes(contents()), public_key=public)
    swapped = unpack(signed) | {
        "signature": unpack(bundle_bytes(contents(source=b"x"), private))["signature"]
    }
    with pytest.raises(BundleError, match="another manifest"):
        read_bundle(pack(swapped), public_key=public)


def test_a_bundle_that_is_open_already_is_held_to_the_key_too() -> None:
    private, public = keys()
    given = {"table": compile_policy(POLICY).table}
    with pytest.raises(BundleError, match="GOV405"):
        Policy.load(read_bundle(bundle_bytes(contents(**given))), public_key=public)
    signed = read_bundle(bundle_bytes(contents(**given), private))
    assert Policy.load(signed, public_key=public).name == "tiny"


def test_a_signature_of_another_key_is_refused() -> None:
    private, _ = keys()
    stranger = Ed25519PrivateKey.from_private_bytes(b"z" * 32).public_key()
    pem = stranger.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(BundleError, match="GOV405"):
        read_bundle(bundle_bytes(contents(), private), public_key=pem)


@pytest.mark.parametrize("pem", [b"", b"not a key", keys()[1]])
def test_a_key_that_cannot_sign_is_a_coded_error(pem: bytes) -> None:
    with pytest.raises(CodedError, match="GOV406"):
        bundle_bytes(contents(), pem)


def test_a_file_that_cannot_be_read_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(CodedError, match="GOV400"):
        load_bundle(tmp_path / "none.govb")
    with pytest.raises(CodedError, match="GOV400"):
        load_bundle(tmp_path)
