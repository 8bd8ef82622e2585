"""The way from a source to a checked policy.

In: the text of a policy and a function that reads the files it names.  Out: `Checked`, or
`GovError` with every diagnostic of the first stage that failed: parsing (with imports), then
everything after it.
"""

from __future__ import annotations

from pathlib import Path

from govlang.compiler.checked import Accept, Checked, TestCase, TestStep
from govlang.compiler.imports import Read, gather, read_root
from govlang.compiler.lower import lower_policy
from govlang.dsl.source import Source

__all__ = ["Accept", "Checked", "Read", "TestCase", "TestStep", "compile_file", "compile_source"]


def compile_source(source: Source, read: Read | None = None) -> Checked:
    """Parse, import, check and lower a policy.

    `read` None: files are not at hand, so `import` and `from "file.csv"` are errors.

    Raises:
        GovError: the source cannot be used; all diagnostics of the stage, GOV1xx and GOV2xx.
    """
    return lower_policy(gather(source, read))


def compile_file(path: str | Path) -> Checked:
    """Compile a policy on disk; files that it names are read from its directory or below.

    Raises:
        GovError: as `compile_source`, or the file cannot be read.
    """
    source, read = read_root(Path(path))
    return compile_source(source, read)
