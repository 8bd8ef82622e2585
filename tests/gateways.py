"""The gateway that tests of clients and workers talk to: one server a process, emptied for each test.

Whoever has a real one puts it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from fake_gateway import FakeGateway
from fake_routes import Routes, serving
from gateway_faults import Faults, FaultyTransport

from govlang.client import GovClient


@dataclass(frozen=True)
class Served:
    """A gateway that answers, a client of it, and what a test sees of both."""

    url: str
    behind: FakeGateway
    client: GovClient
    faults: Faults


@pytest.fixture(scope="session")
def served_routes() -> Iterator[tuple[str, Routes]]:
    routes = Routes()
    with serving(routes) as url:
        yield url, routes


@contextmanager
def fresh(url: str, routes: Routes, lease_s: float) -> Iterator[Served]:
    """A gateway in which nothing has happened."""
    routes.gateway, faults = FakeGateway(lease_s), Faults()
    with GovClient(url, transport=FaultyTransport(faults)) as client:
        yield Served(url, routes.gateway, client, faults)


@pytest.fixture
def gateway(served_routes: tuple[str, Routes]) -> Iterator[Served]:
    with fresh(*served_routes, 30.0) as made:
        yield made


@pytest.fixture
def hasty(served_routes: tuple[str, Routes]) -> Iterator[Served]:
    """The same with leases of less than a second."""
    with fresh(*served_routes, 0.6) as made:
        yield made
