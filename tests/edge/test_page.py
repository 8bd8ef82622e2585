from __future__ import annotations

import http.client
import json
import random
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser
from host_cases import distinct, said

from govlang.compiler import ir
from govlang.compiler.frontend import compile_file
from govlang.compiler.interpret import decide, default_params
from govlang.compiler.requests import read_sample, write_request

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "edge"))
import serve  # noqa: E402  # the example stands outside of the packages

DRONE = compile_file(ROOT / "examples" / "stateless" / "drone_fleet.gov").policy
READY = "document.getElementById('outcome')?.dataset.decision !== undefined"
SAID = "document.getElementById('fault')?.hidden === false"


@dataclass(frozen=True)
class Place:
    """A copy of the page with modules beside it, and a browser."""

    folder: Path
    address: str
    browser: Browser

    def open(self, policy: str = "drone_fleet", until: str = READY) -> None:
        self.browser.faults.clear()
        self.browser.open(f"{self.address}{serve.PAGE}?policy={policy}.wasm", until)

    def text(self, name: str) -> str:
        return str(self.browser.value(f"document.getElementById('{name}').textContent"))

    def outcome(self) -> dict[str, Any]:
        """What the page shows, of which the JSON is a part."""
        plain: dict[str, Any] = json.loads(self.text("json"))
        outcome = plain["outcome"]
        decision, rule, reason = (self.text(name) for name in ("decision", "rule", "reason"))
        words = {"ask a person": "require_human"}
        assert words.get(decision, decision) == outcome["decision"]
        assert (rule, reason) == (outcome["rule_id"], outcome["reason"])
        assert len(self.obligations()) == len(outcome["obligations"])
        return plain

    def obligations(self) -> list[str]:
        items = "[...document.querySelectorAll('#obligations li')].map((one) => one.textContent)"
        return list(self.browser.value(items))

    def move(self, name: str, value: Any) -> None:
        """Move a slider, or type into a field."""
        self.browser.value(
            f"(() => {{ const one = document.getElementById('{name}'); "
            f"one.value = {json.dumps(value)}; "
            "one.dispatchEvent(new Event('input', { bubbles: true })); })()"
        )

    def press(self, name: str, member: int) -> None:
        """Press one of the buttons of a field."""
        self.browser.value(f"document.querySelectorAll('#{name} input')[{member}].click()")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("page")
    for part in serve.SERVED:
        shutil.copytree(ROOT / part, folder / part)
    page = folder / "examples" / "edge"
    for name in ("drone_fleet", "microgrid"):
        serve.build(ROOT / "examples" / "stateless" / f"{name}.gov", page)
    serving = serve.server(0, folder)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    try:
        with browser(tmp_path_factory.mktemp("profile")) as opened:
            yield Place(page, f"http://127.0.0.1:{serving.server_port}", opened)
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def settle(place: Place, policy: ir.Policy, values: dict[str, int | str]) -> None:
    """Set every control of the page."""
    for field in policy.fields:
        name, value = f"in-{field.name}", values[field.name]
        match field.kind:
            case ir.Kind.ENUM | ir.Kind.BOOL:
                place.press(name, int(value))
            case ir.Kind.SET:
                shown = place.browser.value(
                    f"[...document.querySelectorAll('#{name} input')].map((one) => one.checked)"
                )
                for bit, checked in enumerate(shown):
                    if checked != bool(int(value) >> bit & 1):
                        place.press(name, bit)
            case ir.Kind.KEY | ir.Kind.TEXT | ir.Kind.PATH:
                place.move(name, value)
            case _:
                place.move(name, str(int(value) - field.lo))


def random_setting(rng: random.Random, policy: ir.Policy) -> dict[str, int | str]:
    return {
        one.name: rng.choice(("d7", "drone é")) if one.is_text else rng.randint(one.lo, one.hi)
        for one in policy.fields
    }


def test_each_setting_shows_what_the_interpreter_says(place: Place) -> None:
    place.open()
    rng = random.Random(11)
    seen = set()
    for _ in range(16):
        values = random_setting(rng, DRONE)
        settle(place, DRONE, values)
        shown = place.outcome()
        request, runtime = write_request(DRONE, values)
        asked = read_sample(DRONE, shown["request"], shown["runtime"])
        assert asked == read_sample(DRONE, request, runtime)
        expected = decide(DRONE, default_params(DRONE), values)
        outcome = shown["outcome"]
        seen.add(outcome.pop("decision"))
        assert outcome.pop("policy_snapshot").startswith("sha256:")
        assert outcome | {"obligations": distinct(outcome["obligations"])} == {
            k: v for k, v in said(expected).items() if k != "decision"
        }
        assert expected.decision.word in seen
    assert seen >= {"limit", "require_human", "deny"}
    assert place.browser.faults == []


def test_obligations_are_sentences(place: Place) -> None:
    place.open()
    place.press("in-zone", 2)
    place.press("in-sensor_fault", 1)
    assert place.obligations() == [
        "isolate",
        "payload at most 0 kg",
        "speed at most 3 m/s",
        "ask atc, within 10 min",
    ]
    place.press("in-zone", 1)
    place.press("in-sensor_fault", 0)
    place.move("in-cpu_load", "950")
    assert place.obligations() == ["speed at most 15 m/s", "ask again in 1 min"]


def test_a_strip_shows_the_decisions_along_its_slider(place: Place) -> None:
    place.open()
    place.move("in-payload", "200")
    twice = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    place.browser.value(twice)
    strip = place.browser.value(
        "document.querySelector('.field:has(#in-battery) .strip').style.background"
    )
    shown = re.findall(r"var\(--(\w+)\)", strip)
    values = {"drone": "drone", "payload": 200, "zone": 0, "cpu_load": 500, "approved": 0}
    values |= {"restarted": 0, "sensor_fault": 0}
    expected = [
        decide(DRONE, default_params(DRONE), values | {"battery": 1000 * i // 59}).decision.word
        for i in range(60)
    ]
    assert shown == expected
    assert len(set(shown)) == 2


def test_what_is_typed_is_asked_as_it_stands(place: Place) -> None:
    place.open()
    amount = ".field:has(#in-battery) .amount input"
    for typed, reason in (("18.05", "must be a multiple of 0.1"), ("", "must be a finite number")):
        place.browser.value(
            f"(() => {{ const one = document.querySelector({json.dumps(amount)}); "
            f"one.value = {json.dumps(typed)}; "
            "one.dispatchEvent(new Event('input', { bubbles: true })); })()"
        )
        assert place.text("rule") == "invalid_request"
        assert reason in place.text("reason")
    assert place.browser.faults == []


def test_a_parameter_of_the_deployment_moves_what_is_heavy(place: Place) -> None:
    place.open()
    place.move("in-battery", "250")
    place.move("in-payload", "90")
    assert place.text("rule") != "payload_cap"
    place.move("param-heavy", "1")
    place.browser.wait("document.getElementById('rule').textContent === 'payload_cap'")
    assert place.browser.faults == []


def test_another_policy_is_opened_from_a_file(place: Place) -> None:
    place.open()
    place.browser.choose_file("#file", place.folder / "microgrid.wasm")
    place.browser.wait("document.title.startsWith('microgrid')")
    assert "7 rules" in place.text("about")
    given = place.browser.value("document.querySelectorAll('.given input').length")
    assert given == sum(
        one.optional
        for one in compile_file(ROOT / "examples/stateless/microgrid.gov").policy.fields
    )
    place.browser.value("document.querySelectorAll('.given input').forEach((one) => one.click())")
    assert place.outcome()["runtime"].keys() < {"forecast_error", "margin", "approved"} | {
        one.name for one in compile_file(ROOT / "examples/stateless/microgrid.gov").policy.fields
    }
    assert place.browser.faults == []


def test_a_module_that_is_broken_is_told_in_a_sentence(place: Place, tmp_path: Path) -> None:
    place.open()
    whole = (place.folder / "drone_fleet.wasm").read_bytes()
    for name, data, why in (
        ("cut.wasm", whole[:700], "these bytes are no WebAssembly module"),
        ("empty.wasm", b"", "these bytes are no WebAssembly module"),
        ("bare.wasm", b"\0asm\1\0\0\0", "no section `gov.schema`"),
    ):
        (tmp_path / name).write_bytes(data)
        place.browser.choose_file("#file", tmp_path / name)
        place.browser.wait(f"document.getElementById('fault').textContent.includes('{name}')")
        assert why in place.text("fault")
        assert place.text("fault").endswith("drone_fleet stays")
        assert place.outcome()["outcome"]["rule_id"] == "wind_limit#1"
    place.browser.choose_file("#file", place.folder / "microgrid.wasm")
    place.browser.wait("document.getElementById('fault').hidden")
    assert place.browser.faults == []


def test_a_module_that_is_not_there_is_told_in_a_sentence(place: Place) -> None:
    place.open("none", until=SAID)
    assert "none.wasm cannot be used: it is not there; run `make edge-page`" in place.text("fault")
    assert place.text("about") == "No policy is loaded."
    assert all("404" in fault for fault in place.browser.faults)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 302),
        (serve.PAGE, 200),
        ("/runtime/js/govlang.mjs", 200),
        ("/pyproject.toml", 404),
        ("/examples/", 404),
        ("/examples/edge/../../pyproject.toml", 404),
        ("/examples/edge/%2e%2e/%2e%2e/pyproject.toml", 404),
    ],
)
def test_only_the_page_is_served(path: str, status: int) -> None:
    with serve.server(0) as serving:
        thread = threading.Thread(target=serving.handle_request)
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", serving.server_port)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        thread.join()
        connection.close()
    assert answer.status == status
    assert answer.getheader("Cache-Control") == "no-store"
    if path.endswith(".mjs"):
        assert answer.getheader("Content-Type") == "text/javascript"
