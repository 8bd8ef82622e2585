from __future__ import annotations

from asgi_call import call
from fake_service import FakeService, bearer, fake_app

from govlang.runtime.http.rate import BUCKETS_MAX, Rates


def test_a_burst_and_then_so_many_a_second() -> None:
    now = [0.0]
    rates = Rates(2.0, 3, lambda: now[0])
    assert [rates.wait_s("t", "read") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now[0] = 0.25
    assert rates.wait_s("t", "read") == 0.25
    now[0] = 0.5
    assert [rates.wait_s("t", "read") for _ in range(2)] == [0.0, 0.5]
    now[0] = 1000.0
    assert [rates.wait_s("t", "read") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_callers_and_classes_do_not_count_for_each_other() -> None:
    rates = Rates(1.0, 1, lambda: 0.0)
    assert rates.wait_s("t", "read") == 0.0
    assert rates.wait_s("t", "read") == 1.0
    assert rates.wait_s("u", "read") == 0.0
    assert rates.wait_s("t", "submit") == 0.0


def test_full_buckets_are_forgotten_and_empty_ones_are_not() -> None:
    now = [0.0]
    rates = Rates(1.0, 1, lambda: now[0])
    for index in range(BUCKETS_MAX):
        rates.wait_s(str(index), "read")
    now[0] = 0.5
    rates.wait_s("late", "read")
    assert len(rates._buckets) == BUCKETS_MAX + 1
    now[0] = 1.2
    rates.wait_s("later", "read")
    assert set(rates._buckets) == {("late", "read"), ("later", "read")}
    assert rates.wait_s("late", "read") > 0


def test_whoever_asks_too_much_is_told_when_to_come_again() -> None:
    service = FakeService()
    app = fake_app(service, rate_per_s=0.01, rate_burst=2)
    replies = [call(app, "GET", "/v1/policy", headers=bearer("agent")) for _ in range(3)]
    assert [one.status for one in replies] == [200, 200, 429]
    assert replies[2].code == "rate_limited"
    assert 90 <= int(replies[2].headers["retry-after"]) <= 100
    assert replies[2].json["retry_after_s"] <= 100
    assert replies[2].json["expected"] == "at most 0.01/s, 2 at once"
    assert len(service.calls) == 2
    assert call(app, "GET", "/v1/policy", headers=bearer("worker")).status == 200
    asked = {"headers": bearer("agent"), "plain": {"request": {}}}
    assert call(app, "POST", "/v1/policy/evaluate", **asked).status == 200


def test_health_is_never_limited() -> None:
    app = fake_app(rate_per_s=0.01, rate_burst=1)
    assert {call(app, "GET", "/healthz").status for _ in range(20)} == {200}
