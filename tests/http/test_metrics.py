from __future__ import annotations

from collections.abc import Callable

import pytest
from asgi_call import call
from fake_service import FakeService, bearer, fake_app
from prometheus_client.parser import text_string_to_metric_families

from govlang.runtime.http.metrics import Metrics


def series(metrics: Metrics) -> dict[str, float]:
    """`name{label=value,…}` to value, as /metrics shows it."""
    found = {}
    for family in text_string_to_metric_families(metrics.exposition()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


TOLD: list[tuple[Callable[[Metrics], None], dict[str, float]]] = [
    (
        lambda m: m.decided("submit", "deny", "payload_cap"),
        {"gov_decisions_total{effect=deny,gate=submit,rule=payload_cap}": 1},
    ),
    (
        lambda m: m.decided("evaluate", "allow", None),
        {"gov_decisions_total{effect=allow,gate=evaluate,rule=}": 1},
    ),
    (lambda m: m.approval_requested("r"), {"gov_approvals_requested_total{rule=r}": 1}),
    (
        lambda m: m.approval_ended("r", "approved", 40.0),
        {
            "gov_approvals_total{outcome=approved,rule=r}": 1,
            "gov_approval_queue_seconds_sum{rule=r}": 40,
            "gov_approval_queue_seconds_bucket{le=30.0,rule=r}": 0,
            "gov_approval_queue_seconds_bucket{le=60.0,rule=r}": 1,
        },
    ),
    (
        lambda m: (m.revocation_detected("operator", 0.5), m.revocation_done(2.0))[0],
        {
            "gov_revocation_detect_seconds_sum{cause=operator}": 0.5,
            "gov_revocation_revoke_seconds_sum": 2.0,
        },
    ),
    (lambda m: m.moved(None, "pending"), {"gov_jobs{state=pending}": 1}),
    (
        lambda m: (m.moved(None, "running"), m.moved("running", "failed", ended=True))[0],
        {"gov_jobs{state=running}": 0, "gov_jobs_ended_total{state=failed}": 1},
    ),
    (lambda m: m.restored({"scheduled": 7}), {"gov_jobs{state=scheduled}": 7}),
    (lambda m: m.dispatched(3.0), {"gov_dispatch_seconds_sum": 3, "gov_dispatch_seconds_count": 1}),
    (lambda m: m.outbox(4), {"gov_outbox_depth": 4}),
    (
        lambda m: (m.waiting({"a": 9, "b": 4.5}), m.waiting({"b": 5}))[0],
        {"gov_queue_oldest_seconds{pool=b}": 5},
    ),
    (lambda m: m.dead_letters(2), {"gov_dead_letters": 2}),
    (
        lambda m: (m.breaker("vm", "open"), m.breaker("vm", "closed"))[0],
        {
            "gov_breaker_state{dependency=vm,state=closed}": 1,
            "gov_breaker_state{dependency=vm,state=open}": 0,
        },
    ),
    (
        lambda m: m.committed(12, 0.003),
        {
            "gov_writer_group_size_sum": 12,
            "gov_writer_commit_seconds_bucket{le=0.0025}": 0,
            "gov_writer_commit_seconds_bucket{le=0.005}": 1,
        },
    ),
    (lambda m: m.ledger(99), {"gov_ledger_records": 99}),
    (
        lambda m: m.requested("submit", "POST", 202, 0.002),
        {
            "gov_http_requests_total{method=POST,route=submit,status=202}": 1,
            "gov_http_request_seconds_sum{route=submit}": 0.002,
            "gov_http_request_seconds_bucket{le=0.001,route=submit}": 0,
            "gov_http_request_seconds_bucket{le=0.0025,route=submit}": 1,
        },
    ),
    (
        lambda m: (
            [m.requested("job", "GET", 200, seconds) for seconds in (0.0005, 2.5, 9)] and None
        ),
        {
            "gov_http_requests_total{method=GET,route=job,status=200}": 3,
            "gov_http_request_seconds_bucket{le=0.0005,route=job}": 1,
            "gov_http_request_seconds_bucket{le=1.0,route=job}": 1,
            "gov_http_request_seconds_bucket{le=2.5,route=job}": 2,
            "gov_http_request_seconds_bucket{le=+Inf,route=job}": 3,
            "gov_http_request_seconds_count{route=job}": 3,
        },
    ),
]


@pytest.mark.parametrize(("tell", "expected"), TOLD)
def test_what_happened_is_shown(
    tell: Callable[[Metrics], None], expected: dict[str, float]
) -> None:
    metrics = Metrics()
    tell(metrics)
    shown = series(metrics)
    assert {name: shown[name] for name in expected} == expected


def test_a_checkpoint_grows_old() -> None:
    now = [100.0]
    metrics = Metrics(lambda: now[0])
    metrics.checkpointed(1024)
    now[0] = 107.5
    assert series(metrics)["gov_checkpoint_age_seconds"] == 7.5
    assert series(metrics)["gov_checkpoint_records"] == 1024
    metrics.checkpointed(2048)
    assert series(metrics)["gov_checkpoint_age_seconds"] == 0


def test_two_services_do_not_add_up() -> None:
    one, other = Metrics(), Metrics()
    one.outbox(3)
    assert series(other)["gov_outbox_depth"] == 0


def test_every_request_is_counted_under_a_name_that_nobody_chooses() -> None:
    app = fake_app(FakeService())
    call(app, "POST", "/v1/policy/evaluate", headers=bearer("agent"), plain={"request": {}})
    call(app, "POST", "/v1/policy/evaluate", plain={"request": {}})
    call(app, "GET", "/v1/jobs/run_secret:x@1", headers=bearer("agent"))
    call(app, "BREW", "/v1/jobs", headers=bearer("agent"))
    text = call(app, "GET", "/metrics", headers=bearer("auditor")).body.decode()
    for line in (
        'gov_http_requests_total{method="POST",route="evaluate",status="200"} 1.0',
        'gov_http_requests_total{method="POST",route="evaluate",status="401"} 1.0',
        'gov_http_requests_total{method="GET",route="job",status="404"} 1.0',
        'gov_http_requests_total{method="other",route="none",status="405"} 1.0',
    ):
        assert line in text
    assert "run_secret" not in text
    assert "BREW" not in text
