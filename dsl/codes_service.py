"""The pages of the control plane's settings and start (GOV6xx, where import and export have left room)."""

from __future__ import annotations

from govlang.dsl.page import Page

SERVICE: dict[str, Page] = {
    "GOV600": Page(
        "settings that cannot be used",
        "The service reads `POLICY_CHECK_…` and `GOV_…` from its environment. A variable that it does not know, one "
        "that is nearly called `POLICY_CHECK_…`, an empty one, "
        "or a value out of its range stops the start, so that nothing runs with settings nobody meant. "
        "`POLICY_CHECK_FAIL_MODE=open` lets jobs through while the policy check does not answer, so it needs a reason.",
        "POLICY_CHECK_FAIL_MODE=open gov serve policy.govb",
        "Set the value that the message asks for, or unset the variable: what is unset has its default.",
    ),
}
