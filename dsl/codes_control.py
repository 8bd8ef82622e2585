"""The pages of the job machine and the breaker (GOV640 to GOV659)."""

from __future__ import annotations

from govlang.dsl.page import Page

CONTROL: dict[str, Page] = {
    "GOV640": Page(
        "a move that a job cannot make",
        "The states of jobs and the moves between them are a policy, `runtime/builtin/job.gov`. From the state that "
        "the job is in, it has no such move with this gate; nothing has changed.",
        "dispatching a job that waits for an approval",
        "Read the job's state anew: another caller may have moved it. What has ended is submitted again, as a new job.",
    ),
    "GOV641": Page(
        "a move that cannot be read",
        "A move names a job by a text of at most 256 bytes, is one that `job.gov` knows, and has a time.",
        'machine.move("x" * 300, Move.ADMIT, Gate.ALLOW, now_ms=0)',
        "Give the id that the job got when it was submitted.",
    ),
    "GOV642": Page(
        "no room for another job",
        "The service remembers the states of so many jobs at once; none that goes on is ever forgotten.",
        "a million jobs, none of which ends",
        "Let jobs end or cancel some, or start the service with room for more.",
    ),
    "GOV643": Page(
        "a job that goes on cannot be forgotten",
        "Only the state of a job that has ended is taken out of memory; any other could be begun a second time.",
        "machine.forget(job_id) while it runs",
        "Cancel the job first.",
    ),
    "GOV650": Page(
        "the breaker of a dependency is open",
        "Its last three calls failed or took too long, or somebody holds it open by hand; so the call was not made. "
        "Half a minute later three probes go out, and two that succeed close it.",
        "a policy check elsewhere that does not answer",
        "Wait for the time that the error names. What was opened by hand stays open until it is released.",
    ),
    "GOV651": Page(
        "a dependency that a breaker cannot watch",
        "A dependency is named by a text of at most 256 bytes.",
        'breaker.admit("x" * 300)',
        "Name it briefly: a host, a pool, a database.",
    ),
    "GOV652": Page(
        "no room for another dependency",
        "A breaker watches so many dependencies, and forgets none that was ever called.",
        "a dependency a request, named by its id",
        "Name dependencies by what fails together, or make the breaker with room for more.",
    ),
    "GOV653": Page(
        "a call that has ended already",
        "Each call that a breaker lets through is told one end: succeeded, failed or abandoned.",
        "call.failed() behind call.succeeded()",
        "Tell the end once, where the call has ended; `with breaker.guard(NAME)` does it by itself.",
    ),
}
