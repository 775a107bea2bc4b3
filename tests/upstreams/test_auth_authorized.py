"""Between transport and client: the credential of whose call it is, or no request."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from toolgate.model import Principal
from toolgate.ports import HttpError
from toolgate.upstreams.auth.authorized import AuthorizedHttp, caller

ALICE, BOB = Principal(id="alice", method="jwt"), Principal(id="bob", method="jwt")


class Recorder:
    """A client that answers with a prepared status, and a credential that names the caller and counts up."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.sent: list[bytes] = []
        self.closed = 0
        self.number = 0

    async def request(self, method: str, url: str, headers: Any = (), body: bytes = b"", **rest: Any) -> Any:
        self.sent.append(dict(headers)[b"authorization"])
        return SimpleNamespace(status=self.statuses.pop(0) if self.statuses else 200, close=self._close)

    def _close(self) -> None:
        self.closed += 1

    async def headers(self, principal: Principal) -> tuple[tuple[bytes, bytes], ...]:
        self.number += 1
        await asyncio.sleep(0)
        return ((b"authorization", f"{principal.id} {self.number}".encode()),)

    def rejected(self, principal: Principal, headers: Any) -> bool:
        return True

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_request_on_behalf_of_nobody_is_not_sent() -> None:
    both: Any = Recorder()
    with pytest.raises(HttpError, match="nobody"):
        await AuthorizedHttp(both, both).request("POST", "http://x/", timeout=1)
    assert both.sent == []


async def test_each_task_shows_its_own_callers_credential() -> None:
    both: Any = Recorder()
    http = AuthorizedHttp(both, both)

    async def work(principal: Principal) -> None:
        caller.set(principal)
        await asyncio.gather(*(http.request("POST", "http://x/", timeout=1) for _ in range(3)))

    await asyncio.gather(work(ALICE), work(BOB))
    assert sorted(sent.split()[0] for sent in both.sent) == [b"alice"] * 3 + [b"bob"] * 3


@pytest.mark.parametrize(("statuses", "sent"), [((401, 200), 2), ((401, 401, 200), 2), ((403,), 1)])
async def test_a_refused_credential_is_replaced_once(statuses: tuple[int, ...], sent: int) -> None:
    both: Any = Recorder(*statuses)
    caller.set(ALICE)
    await AuthorizedHttp(both, both).request("POST", "http://x/", timeout=1)
    assert (len(both.sent), len(set(both.sent)), both.closed) == (sent, sent, sent - 1)
