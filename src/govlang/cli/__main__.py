"""`python -m govlang.cli` is `gov`."""

from govlang.cli import main

main()
