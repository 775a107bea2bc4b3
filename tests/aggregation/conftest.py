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
    servers = {name: f"{{url: '{peer.url}'}}" for name, peer in zip(("a", "b-b"), peers, strict=True)}
    gateway = Aggregate(tmp_path_factory.mktemp("aggregate"), servers)
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(running: Aggregate, peers: tuple[Peer, Peer]) -> Aggregate:
    """In front of two servers, `a` and `b-b`, that have nothing yet."""
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


@pytest.fixture
def forgetting(gateway: Aggregate) -> Iterator[None]:
    """For tests whose servers let lists be remembered: nobody else is to see them."""
    yield
    gateway.stop()
    gateway.start()
