from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govlang.native.digest import digest
from govlang.native.files import write_whole
from govlang.runtime.evidence.audit import audit, records
from govlang.runtime.evidence.ledger import (
    GENESIS,
    EvidenceError,
    Head,
    Ledger,
    ledger_files,
    read_head,
)


def fill(place: Path, count: int) -> list[str]:
    with Ledger(place) as ledger:
        return [ledger.append({"job_id": f"job{i}", "n": str(i)}).hash for i in range(count)]


def codes(place: Path, kept: str | None = None) -> set[str]:
    return {fault.code for fault in audit(place, kept).faults}


def test_a_ledger_as_written_is_intact(tmp_path: Path) -> None:
    hashes = fill(tmp_path, 5)
    found = audit(tmp_path)
    assert found.intact
    assert (found.records, found.head) == (5, hashes[-1])
    assert [r["seq"] for r in records(tmp_path)] == [1, 2, 3, 4, 5]
    assert next(records(tmp_path))["prev"] == GENESIS


def test_the_head_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        for i in range(3):
            head = ledger.append({"n": i})
            assert read_head(tmp_path / "LEDGER.head") == head


def test_a_ledger_can_be_a_jsonl_file(tmp_path: Path) -> None:
    place = tmp_path / "audit.jsonl"
    fill(place, 2)
    assert (tmp_path / "audit.head").exists()
    assert audit(place).intact


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    path = tmp_path / "LEDGER.jsonl"
    content = path.read_bytes()
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 1 << (index % 8)
        path.write_bytes(changed)
        assert codes(tmp_path), f"byte {index}"


def test_every_flipped_bit_of_the_head_is_found(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    path = tmp_path / "LEDGER.head"
    content = path.read_bytes()
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(changed)
        assert codes(tmp_path), f"bit {bit}"


@given(st.data())
def test_dropped_swapped_and_cut_records_are_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("ledger")
    fill(place, 6)
    path = place / "LEDGER.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    order = data.draw(st.lists(st.sampled_from(range(6)), max_size=8))
    path.write_bytes(b"".join(lines[i] for i in order))
    assert bool(codes(place)) == (order != list(range(6)))


def test_a_cut_is_found_by_a_hash_kept_elsewhere_even_when_the_head_was_rewritten(
    tmp_path: Path,
) -> None:
    hashes = fill(tmp_path, 4)
    path = tmp_path / "LEDGER.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    (tmp_path / "LEDGER.head").write_bytes(Head(2, hashes[1]).to_bytes())
    assert codes(tmp_path) == set()
    assert codes(tmp_path, hashes[3]) == {"GOV507"}
    assert codes(tmp_path, hashes[1]) == set()


def test_an_older_head_kept_elsewhere_still_holds_after_growth(tmp_path: Path) -> None:
    hashes = fill(tmp_path, 2)
    fill(tmp_path, 2)
    assert codes(tmp_path, hashes[1]) == set()


def test_a_missing_head_is_a_fault(tmp_path: Path) -> None:
    hashes = fill(tmp_path, 2)
    (tmp_path / "LEDGER.head").unlink()
    assert codes(tmp_path) == {"GOV506"}
    assert codes(tmp_path, hashes[-1]) == set()


def test_a_record_put_after_the_head_is_found(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    copy = (tmp_path / "LEDGER.head").read_bytes()
    fill(tmp_path, 1)
    (tmp_path / "LEDGER.head").write_bytes(copy)
    assert codes(tmp_path) == {"GOV506"}


def test_the_next_writer_adopts_a_whole_record_and_drops_a_torn_one(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    head = (tmp_path / "LEDGER.head").read_bytes()
    fill(tmp_path, 1)
    write_whole(tmp_path / "LEDGER.head", head)
    with (tmp_path / "LEDGER.jsonl").open("ab") as file:
        file.write(b'{"seq": 4, "pre')
    fill(tmp_path, 1)
    assert audit(tmp_path).intact
    assert [r["seq"] for r in records(tmp_path)] == [1, 2, 3, 4]


def test_a_ledger_that_does_not_reach_its_head_is_not_written_to(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    path = tmp_path / "LEDGER.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(EvidenceError, match="GOV504"):
        Ledger(tmp_path)


def test_a_forged_record_after_the_head_is_not_adopted(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with (tmp_path / "LEDGER.jsonl").open("ab") as file:
        file.write(json.dumps({"seq": 2, "prev": GENESIS}).encode() + b"\n")
    with pytest.raises(EvidenceError, match="GOV504"):
        Ledger(tmp_path)


def test_a_ledger_whose_head_was_deleted_is_not_written_to(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (tmp_path / "LEDGER.head").unlink()
    content = (tmp_path / "LEDGER.jsonl").read_bytes()
    with pytest.raises(EvidenceError, match=r"GOV504.*has 3 records, but no head"):
        Ledger(tmp_path)
    assert (tmp_path / "LEDGER.jsonl").read_bytes() == content
    assert not (tmp_path / "LEDGER.head").exists()


def test_two_records_after_the_head_are_not_adopted(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    head = (tmp_path / "LEDGER.head").read_bytes()
    fill(tmp_path, 2)
    write_whole(tmp_path / "LEDGER.head", head)
    with pytest.raises(EvidenceError, match=r"GOV504.*its head counts 2"):
        Ledger(tmp_path)


def test_two_writers_exclude_each_other(tmp_path: Path) -> None:
    with Ledger(tmp_path), pytest.raises(EvidenceError, match="GOV502"):
        Ledger(tmp_path)


def test_a_place_that_cannot_be_written_is_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="GOV501"):
        Ledger(tmp_path / "file" / "x.jsonl")


def test_a_full_disk_counts_as_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"n": 0})

        def refuse(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(EvidenceError, match="GOV501"):
            ledger.append({"n": 1})
        assert ledger.head.count == 1
        with pytest.raises(EvidenceError, match=r"GOV508.* since a record could not be written"):
            ledger.append({"n": 1})
    monkeypatch.undo()
    fill(tmp_path, 1)
    assert audit(tmp_path).intact


def test_a_ledger_that_was_closed_takes_no_record(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"n": 0})
    with pytest.raises(EvidenceError, match=r"GOV508.* is closed, nothing was recorded"):
        ledger.append({"n": 1})


def test_the_salts_are_kept_apart_and_can_be_deleted(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"n": 0}, salt=b"\x01" * 16)
    files = ledger_files(tmp_path)
    assert (b"01" * 16) in files.salts.read_bytes()
    assert (b"01" * 16) not in files.records.read_bytes()
    assert files.salts.stat().st_mode & 0o077 == 0
    files.salts.unlink()
    assert audit(tmp_path).intact


def test_threads_share_a_ledger_without_breaking_the_chain(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger, ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(lambda i: ledger.append({"i": i}), range(64)))
    assert audit(tmp_path).intact
    assert sorted(head.count for head in heads) == list(range(1, 65))


def test_a_writer_that_was_interrupted_writes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    ledger = Ledger(tmp_path)
    ledger.append({"i": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ledger.append({"i": 2})
    with pytest.raises(EvidenceError, match="GOV508"):
        ledger.append({"i": 3})
    with Ledger(tmp_path) as again:
        assert again.append({"i": 3}).count == 3
    assert audit(tmp_path).intact


LONG = "x" * 70_000


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"job_id": LONG, "labels": {"a": LONG, "b": "short"}}, {"labels"}),
        ({"details": {"deep": [LONG, 3]}, "topic": LONG}, {"details"}),
        ({"input": {"a": LONG}, "runtime": {}}, set()),
        ({"input": {"a": LONG}, "committed": True, "rule_id": "invalid_request"}, set()),
    ],
)
def test_long_texts_that_nobody_decides_by_are_cut_to_their_hash(
    tmp_path: Path, body: dict[str, object], kept: set[str]
) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(body)
    (record,) = records(tmp_path)
    assert LONG not in json.dumps(record)
    assert kept <= set(record)
    assert "input" not in record
    assert (tmp_path / "LEDGER.jsonl").stat().st_size < 2_000
    for name in {"job_id", "topic"} & set(body):
        assert record[name] == digest(LONG.encode())


@pytest.mark.parametrize(
    "body",
    [
        {"input": {"a": LONG}, "committed": True, "rule_id": "r"},
        {"steps": [{"at_ms": 1, "event": LONG}]},
        {"labels": {str(i): "x" * 1_000 for i in range(100)}},
    ],
)
def test_a_record_that_cannot_be_cut_is_refused_and_costs_nothing(
    tmp_path: Path, body: dict[str, object]
) -> None:
    with Ledger(tmp_path) as ledger:
        with pytest.raises(EvidenceError, match="GOV660"):
            ledger.append(body)
        ledger.append({"n": 1})
    assert audit(tmp_path).intact
    assert len(list(records(tmp_path))) == 1


def test_a_record_of_the_longest_length_is_kept(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append({"input": {"a": ""}, "committed": True})
        left = 65_535 - (tmp_path / "LEDGER.jsonl").stat().st_size + 1
        ledger.append({"input": {"a": "y" * left}, "committed": True})
    assert len((tmp_path / "LEDGER.jsonl").read_bytes().splitlines()[1]) == 65_535
    assert audit(tmp_path).intact
