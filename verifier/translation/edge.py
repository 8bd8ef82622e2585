"""A policy's C file, read with the names that the policy itself asks for.

What always holds: which variable a member stands for is never guessed from the header: several names of
docs/edge.md can have one name in C.
"""

from __future__ import annotations

from govlang.compiler import ir
from govlang.verifier.translation.c_policy import names_of
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine import Artefact


def read_c_of(policy: ir.Policy, header: str | bytes, source: str | bytes) -> Artefact:
    """The C file of a policy.

    Raises:
        ArtefactError: GOV416 it is not of the documented form, or has members that the policy does not.
    """
    return read_c(header, source, names_of(policy))
