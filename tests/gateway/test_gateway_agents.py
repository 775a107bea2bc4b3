"""Registered agents: a ceiling no rule lifts, and a suspension that ends what is under way.

ID-13, ID-14, ID-09.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from fake_provider import Configured, FakeProvider, serve
from gateway_support import JSON, Bank, bearer, records

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers: {bank: {url: "<server>"}}
identity:
  issuers: [{issuer: <issuer>, audience: us, jwks: jwks.json}]
  unregistered_agents: deny
  agents:
    teller-bot: {owner: branch, type: assistant, version: "2", state: active}
    reader-bot: {owner: audit, tools: ["bank/read_*"]}
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: all, tools: ['*/*'], effect: allow}\n"


class Holding(Bank, BaseHTTPRequestHandler):
    """Holds the answer to `transfer_funds` until the test lets it go."""

    arrived: ClassVar[threading.Semaphore] = threading.Semaphore(0)
    gate: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.peek()
        if b"transfer_funds" in body:
            self.arrived.release()
            self.gate.wait(30)
        super().do_POST()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    provider, server = FakeProvider(), serve(Holding)
    text = CONFIG.replace("<issuer>", provider.issuer)
    text = text.replace("<server>", f"http://127.0.0.1:{server.server_address[1]}/mcp")
    gateway = Configured(
        tmp_path_factory.mktemp("agents"), text, {"policy.yaml": POLICY, "jwks.json": provider.jwks_text()}
    )
    yield SimpleNamespace(gateway=gateway, provider=provider)
    Holding.gate.set()
    gateway.stop()
    server.shutdown()
    server.server_close()
    provider.close()


def token(world: Any, agent: str | None, user: str = "alice", **claims: Any) -> str:
    names = {} if agent is None else {"azp": agent}
    return world.provider.token(sub=user, aud="us", **names, **claims)


def test_a_ceiling_hides_and_refuses_what_policy_allows(world: Any) -> None:
    reader, teller = token(world, "reader-bot"), token(world, "teller-bot")
    listed = world.gateway.modern("tools/list", key=reader)[2]["result"]["tools"]
    assert [tool["name"] for tool in listed] == ["read_account"]
    assert world.gateway.call("bank", reader)[0] == 200
    params = {"name": "close_account", "arguments": {}}
    assert world.gateway.modern("tools/call", params, key=reader)[0] == 400
    assert records(world.gateway.folder)[-1]["rule"] == "identity.agents.reader-bot"
    assert world.gateway.modern("tools/call", params, key=teller)[0] == 200


@pytest.mark.parametrize("agent", ["other-bot", None])
def test_an_agent_nobody_registered_is_not_admitted(world: Any, agent: str | None) -> None:
    status, answer = world.gateway.call("bank", token(world, agent))
    assert (status, answer["error"]["data"]) == (403, {"reason": "forbidden"})
    assert records(world.gateway.folder)[-1]["detail"] == f"the agent {agent} is not registered"


def test_the_record_names_everybody_on_the_way(world: Any) -> None:
    """ID-12; RFC 8693 section 4.1."""
    act = {"sub": "planner", "act": {"sub": "front-desk"}}
    world.gateway.call("bank", token(world, "teller-bot", act=act))
    record = records(world.gateway.folder)[-1]
    assert (record["user"], record["agent"], record["actors"]) == (
        "alice",
        "teller-bot",
        ["planner", "front-desk"],
    )


def test_suspending_an_agent_ends_its_calls_and_streams_and_nobody_elses(world: Any) -> None:
    gateway, suspended, other = world.gateway, token(world, "teller-bot"), token(world, "reader-bot", "bob")
    session = gateway.initialize(key=suspended)
    params = {"name": "transfer_funds", "arguments": {}}
    with open_stream(gateway, suspended, session) as stream, ThreadPoolExecutor(2) as pool:
        modern = pool.submit(gateway.modern, "tools/call", params, key=suspended)
        legacy = pool.submit(gateway.legacy, "tools/call", params, key=suspended, session=session)
        for _ in range(2):
            assert Holding.arrived.acquire(timeout=20)
        started = time.monotonic()
        edit(gateway, "state: active", "state: suspended")
        for call in (modern, legacy):
            assert ended(call)[0] == 403
        with pytest.raises(http.client.IncompleteRead):  # Cut, and not to be taken for a whole answer.
            stream.read()
        took = time.monotonic() - started
    print(f"cut after {took:.2f} s")
    assert gateway.call("bank", suspended)[0] == 403
    assert gateway.call("bank", other)[0] == 200
    details = [record.get("detail") for record in records(gateway.folder)]
    assert details.count("the agent teller-bot is suspended") >= 3
    Holding.gate.set()
    edit(gateway, "state: suspended", "state: active")
    until(lambda: gateway.call("bank", suspended)[0] == 200)


@contextlib.contextmanager
def open_stream(gateway: Configured, key: str, session: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    headers = {**JSON, **bearer(key), "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
    connection.request("GET", "/servers/bank/mcp", headers={**headers, "Accept": "text/event-stream"})
    with contextlib.closing(connection), connection.getresponse() as response:
        assert response.status == 200
        yield response


def ended(call: "Future[Any]") -> Any:
    status, _, answer = call.result(20)
    assert answer["error"]["data"] == {"reason": "forbidden"}, json.dumps(answer)
    return status, answer


def edit(gateway: Configured, before: str, after: str) -> None:
    text = gateway.config.read_text()
    assert before in text
    gateway.config.write_text(text.replace(before, after))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
