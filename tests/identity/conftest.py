"""What several identity tests start and stop."""

from collections.abc import AsyncIterator

import pytest
from identity_support import Hand, PlainHttp, Signer, Site


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture(scope="session")
def rsa_signer() -> Signer:
    """RSA keys are slow to make: one for all tests."""
    return Signer("RS256", "rsa-1")


@pytest.fixture(scope="session")
def other_rsa_signer() -> Signer:
    return Signer("RS256", "rsa-2")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
async def http() -> AsyncIterator[PlainHttp]:
    http = PlainHttp()
    await http.start()
    yield http
    await http.aclose()
