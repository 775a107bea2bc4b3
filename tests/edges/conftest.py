"""The same gateway and servers as `tests/aggregation` has."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from aggregate_support import Aggregate, stateless
from http_peer import Peer, serving


@pytest.fixture(scope="module")
def peers() -> Iterator[tuple[Peer, Peer]]:
    with ExitStack() as stack:
        yield stack.enter_context(serving()), stack.enter_context(serving())


@pytest.fixture(scope="module")
def running(peers: tuple[Peer, Peer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aggregate]:
    servers = {name: f"{{url: '{peer.url}'}}" for name, peer in zip(("a", "b"), peers, strict=True)}
    gateway = Aggregate(tmp_path_factory.mktemp("edges"), servers)
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(running: Aggregate, peers: tuple[Peer, Peer]) -> Aggregate:
    """In front of `a` and `b`, which speak 2026-07-28 and have nothing yet."""
    for peer in peers:
        peer.answers.clear()
        peer.asked.clear()
        stateless(peer)
    return running


@pytest.fixture
def a(gateway: Aggregate, peers: tuple[Peer, Peer]) -> Peer:
    return peers[0]


@pytest.fixture
def b(gateway: Aggregate, peers: tuple[Peer, Peer]) -> Peer:
    return peers[1]
