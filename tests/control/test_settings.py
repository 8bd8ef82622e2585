from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from govlang.runtime.control.settings import (
    NAMES,
    Enforcement,
    FailMode,
    Settings,
    SettingsError,
    read_settings,
)

DEFAULTS = {
    "POLICY_CHECK_FAIL_MODE": "closed",
    "POLICY_CHECK_TIMEOUT_S": 2.0,
    "GOV_RETRY_BUDGET": 50,
    "GOV_BACKOFF_FIRST_S": 1.0,
    "GOV_BACKOFF_MAX_S": 30.0,
    "GOV_LEASE_S": 30.0,
    "GOV_UNASKED_S": 30.0,
    "GOV_APPROVAL_EXPIRES_S": 86_400,
    "GOV_IDEMPOTENCY_DAYS": 90,
    "GOV_DELEGATION_DEPTH_MAX": 8,
    "GOV_BODY_LIMIT_BYTES": 2 * 1024 * 1024,
    "GOV_CHECKPOINT_RECORDS": 1024,
    "GOV_CHECKPOINT_S": 10.0,
    "GOV_STATE_RECORDS": 10_000,
    "GOV_KEY_CAPACITY": 65_536,
    "GOV_LIVE_JOBS_MAX": 100_000,
    "GOV_GROUP_MAX": 64,
    "GOV_METRICS_OPEN": False,
}

WRONG = [
    ({"POLICY_CHECK_FAIL_MODE": "Open"}, "must be `open` or `closed`, not `Open`"),
    ({"POLICY_CHECK_FAIL_MODE": ""}, "`POLICY_CHECK_FAIL_MODE` must be `open` or `closed`, not ``"),
    (
        {"POLICY_CHECK_FAIL_MODE": "open"},
        "`POLICY_CHECK_FAIL_OPEN_REASON` must be a written reason",
    ),
    (
        {"POLICY_CHECK_FAIL_MODE": "open", "GOV_LEASE_S": "abc"},
        "not `abc` · `POLICY_CHECK_FAIL_OPEN_REASON` must be a written reason",
    ),
    ({"GOV_ENFORCEMENT": '{"a"'}, 'not `{"a"` (not JSON: line 1 column 5'),
    ({"POLICY_CHECK_FAIL_OPEN_REASON": "a\nb"}, "must be a written reason of one line"),
    ({"POLICY_CHECK_FAIL_MODES": "open"}, "no setting, did you mean `POLICY_CHECK_FAIL_MODE`?"),
    ({"POLICY_CHECK_URL": "ftp://h/"}, "`POLICY_CHECK_URL` must be an http or https URL"),
    ({"POLICY_CHECK_TIMEOUT_S": "0"}, "must be a decimal from 0.01 to 60, not `0`"),
    ({"POLICY_CHECK_TIMEOUT_S": "nan"}, "not `nan`"),
    ({"GOV_RETRY_BUDGET": "many"}, "must be a whole number from 1 to 10000, not `many`"),
    ({"GOV_RETRY_BUDGET": "5.0"}, "not `5.0`"),
    ({"GOV_RETRY_BUDGET": " 5"}, "not ` 5`"),
    ({"GOV_RETRY_BUDGET": "0"}, "not `0`"),
    ({"GOV_METRICS_OPEN": "yes"}, "must be `true` or `false`, not `yes`"),
    ({"GOV_ORIGIN": "a b"}, "`GOV_ORIGIN` must be a name of letters"),
    (
        {"GOV_REQUIRE_SIGNATURE": "no-such.pub"},
        "must be the path of a public key in PEM, not `no-such.pub` (no such file or directory)",
    ),
    ({"GOV_REQUIRE_SIGNATURE": "."}, "not `.` (is a directory)"),
    ({"GOV_REQUIRE_SIGNATURE": "a\0b"}, "`GOV_REQUIRE_SIGNATURE` must be the path"),
    (
        {"GOV_REQUIRE_SIGNATURE": __file__},
        "(the key is no Ed25519 public key in PEM)",
    ),
    ({"GOV_LOG_LEVEL": "loud"}, "must be `debug`, `info`, `warning` or `error`, not `loud`"),
    ({"GOV_ENFORCEMENT": "{"}, "`GOV_ENFORCEMENT` must be a JSON object of topic patterns"),
    ({"GOV_ENFORCEMENT": "[]"}, "it is no JSON object"),
    ({"GOV_ENFORCEMENT": '{"a": "off"}'}, "a pattern stands for `shadow` or `enforce`"),
    ({"GOV_ENFORCEMENT": '{"a": "shadow", "a": "enforce"}'}, "`a` is given twice"),
    ({"GOV_ENFORCEMENT": '{"a b": "shadow"}'}, "a pattern is 1 to 200"),
    ({"GOV_ENFORCEMENT": '{"*a*b*c*d*": "shadow"}'}, "at most 4 stars"),
    ({"GOV_BACKOFF_FIRST_S": "9", "GOV_BACKOFF_MAX_S": "8"}, "at least `GOV_BACKOFF_FIRST_S`"),
    ({"POLICY_CHEK_URL": "http://h/"}, "is no setting, did you mean `POLICY_CHECK_URL`?"),
    ({"POLCY_CHECK_TOKEN": "x"}, "is no setting, did you mean `POLICY_CHECK_TOKEN`?"),
    ({"policy_check_url": "http://h/"}, "is no setting, did you mean `POLICY_CHECK_URL`?"),
    ({"GOV_RETRY_BUDGE": "9"}, "`GOV_RETRY_BUDGE` is no setting, did you mean `GOV_RETRY_BUDGET`?"),
]


def test_what_is_unset_has_its_written_default() -> None:
    shown = read_settings({}).shown()
    assert {name: shown[name] for name in DEFAULTS} == DEFAULTS
    assert set(shown) == set(NAMES)


@pytest.mark.parametrize(("environ", "message"), WRONG)
def test_a_value_that_cannot_be_used_stops_the_start(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert caught.value.code == "GOV600"
    assert message in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        *("GOV_TOKEN", "GOV_URL", "GOV_CACHE_DIR", "GOV_TRACEBACK"),
        *(
            "POLICY_URL",
            "POLICY_TOKEN",
            "SECURITY_CHECK_URL",
            "GO_LOG_LEVEL",
            "LOG_LEVEL",
            "GIT_ORIGIN",
        ),
    ],
)
def test_what_belongs_to_the_clients_or_to_others_is_left_alone(name: str) -> None:
    assert read_settings({name: "x"}) == read_settings({})


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"GOV_LEASE_S": "-1", "GOV_NONE": "1", "POLICY_CHECK_FAIL_MODE": "no"})
    for name in ("GOV_LEASE_S", "GOV_NONE", "POLICY_CHECK_FAIL_MODE"):
        assert f"`{name}`" in caught.value.message


@pytest.mark.parametrize(
    "environ",
    [
        {"POLICY_CHECK_TOKEN": "hush" * 2000},
        {"POLICY_CHECK_URL": "http://u:hush@h/"},
        {"POLICY_CHECK_URL": "hush"},
    ],
)
def test_a_secret_is_not_quoted(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert "hush" not in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    settings = read_settings({"POLICY_CHECK_TOKEN": "hush", "POLICY_CHECK_URL": "https://hush/"})
    assert "hush" not in str(settings.shown())
    assert [v for k, v in settings.shown().items() if k.endswith(("TOKEN", "URL"))] == [
        "set",
        "set",
    ]
    assert settings.policy_check_token is not None
    assert settings.policy_check_token.get_secret_value() == "hush"


def test_other_variables_are_left_alone() -> None:
    assert read_settings({"PATH": "x", "GOV_CACHE_DIR": "y", "gov_lease_s": "z"}) == Settings()


def test_the_process_environment_is_not_read_behind_the_back(monkeypatch) -> None:
    monkeypatch.setenv("GOV_RETRY_BUDGET", "7")
    assert read_settings({}).retry_budget == 50


def test_an_open_fail_mode_with_a_reason_is_taken() -> None:
    settings = read_settings(
        {"POLICY_CHECK_FAIL_MODE": "open", "POLICY_CHECK_FAIL_OPEN_REASON": "a drill"}
    )
    assert settings.policy_check_fail_mode is FailMode.OPEN


@pytest.mark.parametrize(
    ("topic", "enforcement"),
    [
        ("infra.delete", Enforcement.SHADOW),
        ("infra.delete.now", Enforcement.ENFORCE),
        ("infra", Enforcement.ENFORCE),
        ("customer.a.b", Enforcement.SHADOW),
        ("Customer.a", Enforcement.ENFORCE),
        ("other", Enforcement.ENFORCE),
    ],
)
def test_the_first_pattern_that_matches_counts(topic: str, enforcement: Enforcement) -> None:
    settings = read_settings(
        {"GOV_ENFORCEMENT": '{"infra.*": "shadow", "infra.**": "enforce", "customer.**": "shadow"}'}
    )
    assert settings.enforcement_of(topic) is enforcement


def test_each_ledger_has_a_name_of_its_own_unless_one_is_given() -> None:
    assert read_settings({}).origin is None
    assert read_settings({"GOV_ORIGIN": "example.org/gov"}).origin == "example.org/gov"
    with pytest.raises(SettingsError):
        read_settings({"GOV_ORIGIN": "a b"})


def test_a_key_is_read_once_at_the_start(tmp_path: Path) -> None:
    pem = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    place = tmp_path / "key.pub"
    place.write_bytes(pem)
    settings = read_settings({"GOV_REQUIRE_SIGNATURE": str(place)})
    place.unlink()
    assert settings.require_signature is not None
    assert settings.require_signature.pem == pem
    assert settings.shown()["GOV_REQUIRE_SIGNATURE"] == str(place)
