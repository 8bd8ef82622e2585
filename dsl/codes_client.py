"""The pages of clients and workers (GOV680 to GOV699)."""

from __future__ import annotations

from govlang.dsl.page import Page

CLIENT: dict[str, Page] = {
    "GOV680": Page(
        "a token that cannot be used",
        "A worker's token stands in a file, or in the environment variable `GOV_TOKEN`: one line, `gov_…`, nothing "
        "else. It is never an argument, where every process of the machine could read it.",
        "gov worker --url http://127.0.0.1:8600 --token-file empty.txt --pool ops --plugin entry:ops:run",
        "Make one with `gov token create --role worker --ttl 30d`; keep it in a file that only the worker may read.",
    ),
    "GOV681": Page(
        "a plugin that cannot be used",
        "A plugin is a Python function (`entry:PACKAGE.MODULE:FUNCTION`, or `entry:NAME` of the entry points "
        "`govlang.worker`), a URL that takes a POST (`http:URL`) or a command (`exec:COMMAND`). It is loaded before "
        "any job is leased.",
        "gov worker --url http://127.0.0.1:8600 --pool ops --plugin exec:no-such-command",
        "Write the spec of something that is installed where the worker runs.",
    ),
    "GOV682": Page(
        "a URL that is none of a gateway",
        "The URL of a gateway is `http://HOST:PORT` or `https://HOST:PORT`, without a name, a password or a query.",
        "gov worker --url 127.0.0.1:8600 --pool ops --plugin entry:ops:run",
        "Write the URL that `gov serve` prints when it starts.",
    ),
    "GOV683": Page(
        "the gateway refuses the worker",
        "The token is unknown, has expired or was revoked, has not the role `worker`, or is not for this pool; or the "
        "pool's name is none. Jobs that ran were ended before this was said.",
        "gov worker --url http://127.0.0.1:8600 --token-file agent.token --pool ops --plugin entry:ops:run",
        "Make a token with `gov token create --role worker`, for this pool or for all.",
    ),
    "GOV684": Page(
        "a guard that cannot be built",
        "`guarded` and `guard` need somebody who decides: `policy` or `gateway`, one of the two. What `request` and "
        "`limits` name must be parameters of the function, and the function must not be a generator, whose body would "
        "run after the guard has ended; nor may a function return a coroutine or a generator for the same reason (a "
        "decorator between may do so): then the call is refused, and that body does not run.",
        '@guarded("infra.delete", request={"environment": "env"})\ndef delete(environment): …',
        'Write `@guarded("infra.delete", request={"environment": "environment"}, policy=policy)`.',
    ),
}
