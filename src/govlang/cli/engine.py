"""A policy that decides: the path of a source or a bundle in, the loaded table out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from govlang.cli.requests import params_of_table
from govlang.cli.subject import is_bundle, open_bundle
from govlang.native.files import KEY_MAX, read_at_most
from govlang.runtime.policy import Policy

if TYPE_CHECKING:
    from govlang.runtime.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy in memory, with its bundle if it came from one."""

    policy: Policy
    bundle: Bundle | None = None

    @property
    def proof_hash(self) -> str:
        """The hash of the proofs that the policy was built with; a source has none."""
        return self.bundle.manifest.proof_hash if self.bundle is not None else ""


def load_policy(path: Path, given: tuple[str, ...] = (), key: Path | None = None) -> Loaded:
    """The policy at a path; a source is compiled first, in memory.

    Raises:
        GovError: the source cannot be used.
        CodedError: the bundle does not add up, or a parameter does not fit.
    """
    public_key = None if key is None else read_at_most(key, KEY_MAX)
    if is_bundle(path) or public_key is not None:
        bundle = open_bundle(path, public_key)
        fields = [param.field for param in Policy.load(bundle).table.schema.params]
        params = params_of_table(fields, given)
        return Loaded(Policy.load(bundle, params=params), bundle)
    from govlang.cli.compiled import compile_policy
    from govlang.compiler.frontend import compile_file

    policy = compile_file(path).policy
    params = params_of_table([param.field for param in policy.params], given)
    return Loaded(Policy(compile_policy(policy).table, params))
