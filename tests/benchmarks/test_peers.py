from __future__ import annotations

import pytest
from benchmarks.generate import KINDS, generate_workload
from benchmarks.index import PLANS, CellIndex
from benchmarks.model import Request, Workload, first_match
from benchmarks.peers import PEERS, Peer, sharded
from benchmarks.small import small_requests, small_workload
from benchmarks.streams import request_stream

REQUESTS = 300
SCANNING = tuple(peer for peer in PEERS if peer.scans)
peers = pytest.mark.parametrize("peer", PEERS, ids=[peer.module for peer in PEERS])
scanning_peers = pytest.mark.parametrize("peer", SCANNING, ids=[peer.module for peer in SCANNING])


def needs(peer: Peer) -> None:
    if peer.version is None:
        pytest.skip(f"{peer.package} is not installed; `make bench` installs it")


def workloads() -> list[tuple[Workload, list[Request]]]:
    cases = [(small_workload(), small_requests(REQUESTS, seed=9))]
    for kind in KINDS:
        workload = generate_workload(60, 1, kind)
        cases.append((workload, request_stream(workload, CellIndex(workload), REQUESTS, seed=9)))
    return cases


@peers
def test_a_peer_names_the_same_rule_as_the_slow_judge(peer: Peer) -> None:
    needs(peer)
    for workload, requests in workloads():
        engine = peer.build(workload)
        for request in requests:
            assert engine.decide(engine.prepare(request)) == first_match(workload.rules, request)


@scanning_peers
def test_a_peer_behind_a_dictionary_still_names_the_same_rule(peer: Peer) -> None:
    needs(peer)
    for workload, requests in workloads():
        if workload.name not in PLANS:
            continue
        engine = sharded.build(peer, workload, requests)
        for request in requests:
            assert engine.decide(engine.prepare(request)) == first_match(workload.rules, request)
