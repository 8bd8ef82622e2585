"""The hands of the ops agent: what `gov worker` calls for each job (`--plugin entry:tools:run`).

A plan is a list of what is to be handed on: each is submitted as a child of the plan's own job, so that the service
knows for whom it is.  The other tools act on a database that is only a name in this example.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from govlang.client import GovClient, GovError
from govlang.runtime.worker.job import WorkerJob

LONGEST_S: Final = 60.0
"""How long a migration takes when nobody stops it."""


def run(job: WorkerJob) -> Any:
    """Do one job; what it raises makes the job fail."""
    match job.request["topic"]:
        case "plan":
            return [hand_on(job, one) for one in job.payload]
        case "db.migrate":
            was_stopped = job.cancelled.wait(LONGEST_S)
            return "stopped halfway" if was_stopped else "migrated"
        case "db.read" if job.payload["database"] == "broken":
            raise ConnectionError("the database does not answer")
        case topic:
            return f"{topic} {job.payload['database']}: done"


def hand_on(plan: WorkerJob, work: Mapping[str, Any]) -> dict[str, Any]:
    """Submit a part of a plan as the agent ops, for whoever planned it; the job, or why there is none."""
    request = {"agent": "ops", "topic": work["topic"]}
    with GovClient(os.environ["GATEWAY_URL"], os.environ["GOV_TOKEN"]) as ops:
        try:
            made = ops.submit(
                request,
                pool="ops",
                payload=work["payload"],
                step=work["step"],
                parent_job_id=plan.job_id,
                undo=work.get("undo"),
                key=f"{plan.job_id}/{work['step']}",
            )
        except GovError as error:
            return {"code": error.code, "rule_id": error.rule_id, "detail": error.detail}
    return {"job_id": made.job_id, "state": made.state, "approval_id": made.approval_id}
