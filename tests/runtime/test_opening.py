"""Whatever file is given for a policy, what is wrong with it names the file and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from control_plane import EFFECTS, bundle_of

from govlang.native.container import pack, unpack
from govlang.native.errors import CodedError
from govlang.runtime.edge import EdgePolicy
from govlang.runtime.policy import Policy

SOURCE = b'language 1\npolicy duo version "1.2.0"\ndefault allow\n'


def refused(loader: type[Policy | EdgePolicy], path: Path) -> CodedError:
    with pytest.raises(CodedError) as caught:
        loader.load(path)
    return caught.value


@pytest.mark.parametrize("loader", [Policy, EdgePolicy])
@pytest.mark.parametrize(
    ("name", "data", "code", "message", "help_"),
    [
        ("duo.gov", SOURCE, "GOV629", "`{}` is the source of a policy",
         "type `gov build {} -o dist`, then load `dist/duo-1.2.0.govb`"),
        ("x.gov", b"", "GOV629", "`{}` is the source of a policy", "load `dist/NAME-VERSION.govb`"),
        ("x.txt", b"hi", "GOV401", "`{}!archive`: is not a bundle", "gov build"),
        ("x.govb", b"PK\3\4", "GOV401", "`{}!archive`: ends in the middle", "gov build"),
        ("x.govb", None, "GOV400", "`{}`: no such file", "give "),
    ],
    ids=["source", "empty source", "another", "cut", "none"],
)  # fmt: skip
def test_the_file_is_named(
    loader: type[Policy | EdgePolicy],
    tmp_path: Path,
    name: str,
    data: bytes | None,
    code: str,
    message: str,
    help_: str,
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    error = refused(loader, path)
    assert error.code == code
    assert message.format(path) in error.message
    assert help_.format(path) in str(error.help)


@pytest.mark.parametrize("loader", [Policy, EdgePolicy])
def test_of_a_bundle_the_part_is_named_too(
    loader: type[Policy | EdgePolicy], tmp_path: Path
) -> None:
    path = tmp_path / "p.govb"
    path.write_bytes(pack(unpack(bundle_of(EFFECTS)) | {"table.bin": b"other"}))
    assert refused(loader, path).message.startswith(f"`{path}!table.bin`: ")


def test_a_module_that_is_cut_off_is_named_with_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "p.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    error = refused(EdgePolicy, path)
    assert error.code == "GOV416"
    assert error.message == (
        f"`{path}`, gov.schema: is missing: the module is cut off, or was not written by `gov build`"
    )
