"""The pages of the policy check, the store and what the service remembers (GOV614 to GOV632), and of `gov token`."""

from __future__ import annotations

from govlang.dsl.page import Page

_COPY = "Keep what is there, restore the data directory from a copy, and look with `gov evidence verify`."

STORE: dict[str, Page] = {
    "GOV614": Page(
        "the policy check gives no answer",
        "With `POLICY_CHECK_URL` another service is asked. It did not answer in time, could not be reached, "
        "answered with "
        "what is no decision, or is not asked because the breaker is open. What then holds is "
        "`POLICY_CHECK_FAIL_MODE`: closed unless it is set.",
        "POLICY_CHECK_URL=http://127.0.0.1:9/ gov serve policy.govb",
        "Look at the service that is asked; `gov drill outage` shows what happens meanwhile.",
    ),
    "GOV615": Page(
        "a policy over time that is asked elsewhere",
        "What a policy with rules over time remembers is kept where its samples are: with the jobs, in the service"
        " that has "
        "them. Asked elsewhere, it would count nothing.",
        "POLICY_CHECK_URL=http://policy.internal/ gov serve control_plane.govb",
        "Unset `POLICY_CHECK_URL`, or ask a policy over single requests there.",
    ),
    "GOV616": Page(
        "a bundle that does not follow the active policy",
        "The data directory has an active policy, and the bundle that was named is of another policy, looser, not "
        "signed by the demanded key, "
        "or does not add up. What is active goes on being active.",
        "gov serve looser.govb --data state",
        "Leave the bundle out, or take the responsibility with `--allow-looser REASON`, which is recorded. Another "
        "policy wants a data directory of its own.",
    ),
    "GOV617": Page(
        "an address that cannot be listened at",
        "Another program listens there, or the address is none of this machine.",
        "gov serve policy.govb --port 80",
        "Give another `--port` or `--host`.",
    ),
    "GOV618": Page(
        "`--dev` on an address that others can reach",
        "With `--dev` nobody is asked for a token: it listens on loopback only.",
        "gov serve policy.govb --dev --host 0.0.0.0",
        "Leave `--host` out, or `--dev` and make tokens.",
    ),
    "GOV619": Page(
        "a context that cannot be called",
        "`--context MODULE:FUNCTION` names a Python function that is called with the agent and the request, and "
        "gives the values "
        "of the policy's fields `from runtime`.",
        "gov serve policy.govb --context nowhere:nothing",
        "Write `module:function`, of a module that can be imported.",
    ),
    "GOV620": Page(
        "a data directory that cannot be used",
        "The service keeps jobs, approvals and the ledger in one directory, and must be able to write there.",
        "gov serve policy.govb --data /proc/x",
        "Give `--data` a directory of its own on a local disk.",
    ),
    "GOV621": Page(
        "two services on one data directory",
        "One process writes to a data directory. Another one has it open.",
        "gov serve policy.govb --data state & gov serve policy.govb --data state",
        "Stop the other one, or give another `--data`.",
    ),
    "GOV622": Page(
        "a store that is damaged",
        "The database of the data directory cannot be read, is of another program or format, or is missing while a"
        " ledger "
        "head lies beside it. It is never begun anew by itself.",
        "a gov.db that was cut off",
        _COPY,
    ),
    "GOV623": Page(
        "nothing can be stored",
        "A transaction could not be written: the disk is full, or gone. What was asked for has not happened, and "
        "nobody was "
        "told that it had.",
        "a full disk",
        "Make room; the service goes on by itself.",
    ),
    "GOV624": Page(
        "the service is stopping",
        "It carries out what it took in, and takes in nothing more.",
        "a request while `gov serve` ends",
        "Ask again when it is back; with the same Idempotency-Key nothing happens twice.",
    ),
    "GOV625": Page(
        "what the policy remembered cannot be made again",
        "The memory of a policy is made from the state that was saved last and the records after it, or from all "
        "records. One "
        "of them cannot be fed: its bundle or its private values are gone.",
        "private values forgotten before a state was saved behind them",
        _COPY,
    ),
    "GOV626": Page(
        "a job whose state does not follow from its moves",
        "The state of each job that goes on is made again from its moves when the service starts, and held against"
        " the state "
        "that is stored.",
        "a row of gov.db that was changed by hand",
        _COPY,
    ),
    "GOV627": Page(
        "no policy to serve",
        "A new data directory needs the bundle of its first policy.",
        "gov serve --data state",
        "Give the bundle: `gov serve policy-1.0.0.govb --data state`.",
    ),
    "GOV628": Page(
        "a ledger that does not reach its head",
        "`LEDGER.head` counts the records and names the last. The ledger in the store has fewer, or another, or "
        "there is no head.",
        "a gov.db restored from an older copy than LEDGER.head",
        _COPY,
    ),
    "GOV629": Page(
        "a source where a bundle is needed",
        "`gov serve`, `Policy.load` and `EdgePolicy.load` take what was checked, proved and compiled: the bundle that "
        "`gov build` writes. A source is none.",
        "gov serve policy.gov",
        "Type `gov build policy.gov -o dist`, then give `dist/NAME-VERSION.govb`.",
    ),
    "GOV630": Page(
        "a private field that the ledger would show",
        "The service tells a policy what a job has reserved, settled and released, and how it ended; these steps "
        "stand in the ledger whole, as the memory is made again from them. A field that is `private` must not.",
        "amount : number in 0..100 private, and reserved(amount)",
        "Take `private` from the field, or leave it out of `reserved(…)` and of the events that the service tells.",
    ),
    "GOV631": Page(
        "an active policy that the demanded key did not sign",
        "GOV_REQUIRE_SIGNATURE names a key, and the policy that the data directory goes on with was published before "
        "that was demanded, or under another key.",
        "GOV_REQUIRE_SIGNATURE=key.pub gov serve --data state, where state holds an unsigned policy",
        "Build it with `gov build --key KEY`, start once without GOV_REQUIRE_SIGNATURE and with that bundle, which is "
        "published, then start with GOV_REQUIRE_SIGNATURE again.",
    ),
    "GOV632": Page(
        "a saved state that is corrupt",
        "What a policy remembers is saved from time to time, and the ledger names the hash of what was saved. The "
        "saved state in gov.db has another, so somebody or something changed it; nothing is decided on it.",
        "a flipped bit in gov.db",
        "Look for the cause: other rows may have been hit (`gov evidence verify`). The ledger itself holds all that "
        "the policy remembers: `gov serve --rebuild-state` drops the saved state, makes it again from the ledger and "
        "records that. Else restore the data directory from a copy.",
    ),
    "GOV690": Page(
        "the service refuses, or cannot be reached",
        "`gov token` asks the running service, with the token of an operator in GOV_TOKEN or `--token-file`.",
        "gov token list --url http://127.0.0.1:1",
        "Start it with `gov serve`; its first start prints the first operator's token.",
    ),
    "GOV691": Page(
        "no length of time",
        "A time to live is a whole number with its unit: s, min, h or d.",
        "gov token create --role agent --agent a1 --ttl forever",
        "Write `30 d`.",
    ),
}
