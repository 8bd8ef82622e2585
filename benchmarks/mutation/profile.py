"""Hypothesis for mutants: a failure is all that is asked, not the smallest one."""

from __future__ import annotations


def no_shrinking() -> None:
    """Tests that are imported from now on stop at the first example that fails."""
    from hypothesis import Phase, settings  # pytest wants to be there first

    settings.register_profile(
        "mutation",
        parent=settings.get_profile("default"),
        phases=(Phase.explicit, Phase.generate),
        database=None,
    )
    settings.load_profile("mutation")
