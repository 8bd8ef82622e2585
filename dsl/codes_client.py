"""The pages of clients and workers (GOV680 to GOV699)."""

from __future__ import annotations

from govlang.dsl.page import Page

CLIENT: dict[str, Page] = {
    "GOV684": Page(
        "a guard that cannot be built",
        "`guarded` and `guard` need somebody who decides: `policy` or `gateway`, one of the two. What `request` and "
        "`limits` name must be parameters of the function, and the function must not be a generator, whose body would "
        "run after the guard has ended.",
        '@guarded("infra.delete", request={"environment": "env"})\ndef delete(environment): …',
        'Write `@guarded("infra.delete", request={"environment": "environment"}, policy=policy)`.',
    ),
}
