"""Tasks in a running gateway: opened at the admin API, used at the door, closed at once."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_support import Running, bearer, free_port, records, serve_bank

from toolgate.identity.tasks import ASSERTED

POLICY = """
version: 1
rules:
  - {id: tellers, subjects: {roles: [teller]}, tools: ["bank/*"], effect: allow}
  - {id: close, tasks: [monthly-close], tools: ["bank/close_account"], effect: allow}
  - {id: look, asserted_tasks: [research], subjects: {roles: [guest]}, tools: ["bank/read_account"], effect: allow}
"""
TASKS = """
tasks:
  openers: {roles: [teller]}
  lifetime: 10m
  declared:
    monthly-close: {purpose: Close the month., tools: ["bank/close_account"], openers: {roles: [guest]}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, int]]:
    bank, admin = serve_bank(), free_port()
    running = Running(
        tmp_path_factory.mktemp("tasks"), bank.server_address[1], TASKS, policy=POLICY, admin=admin
    )
    yield running, admin
    running.stop()
    bank.shutdown()
    bank.server_close()


def api(port: int, method: str, path: str, body: Any = None, key: str | None = "teller") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), bearer(key))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def tools(gateway: Running, token: str | None, key: str = "teller") -> set[str]:
    headers = {} if token is None else {"Txn-Token": token}
    answer = gateway.modern("tools/list", key=key, headers=headers)[2]
    return {tool["name"] for tool in answer["result"]["tools"]}


def test_an_opened_task_limits_what_its_holder_sees_and_does_until_it_is_closed(
    gateway: tuple[Running, int],
) -> None:
    """AZ-01, AZ-04"""
    running, admin = gateway
    status, opened = api(admin, "POST", "/v1/tasks", {"purpose": "look around", "tools": ["bank/read_*"]})
    assert (status, opened["tools"]) == (201, ["bank/read_*"])
    token = opened["token"]
    assert tools(running, token) == {"read_account"}
    assert "transfer_funds" in tools(running, None)
    call = {"name": "transfer_funds", "arguments": {"amount": 1}}
    answer = running.modern("tools/call", call, headers={"Txn-Token": token})[2]
    assert answer["error"]["code"] == -32602
    assert api(admin, "GET", f"/v1/tasks/{opened['id']}")[1]["calls_made"] == 1
    assert api(admin, "DELETE", f"/v1/tasks/{opened['id']}")[0] == 200
    answer = running.modern("tools/list", headers={"Txn-Token": token})[2]
    assert answer["error"]["data"]["reason"] == "denied"
    acts = [record["method"] for record in records(running.folder) if record.get("event") == "gateway"]
    assert {"task_opened", "task_closed"} <= set(acts)


def test_a_declared_task_is_opened_by_those_the_config_names_and_rules_may_trust_its_name(
    gateway: tuple[Running, int],
) -> None:
    running, admin = gateway
    assert api(admin, "POST", "/v1/tasks", {"task": "monthly-close"})[0] == 403
    status, opened = api(admin, "POST", "/v1/tasks", {"task": "monthly-close", "seconds": 60}, key="guest")
    assert status == 201
    assert tools(running, None, key="guest") == set()
    assert tools(running, opened["token"], key="guest") == {"close_account"}
    call = {"name": "close_account", "arguments": {}}
    assert (
        "isError"
        not in running.modern("tools/call", call, key="guest", headers={"Txn-Token": opened["token"]})[2][
            "result"
        ]
    )
    record = [one for one in records(running.folder) if one.get("target") == "close_account"][-1]
    assert record["task"] == "monthly-close"


def test_a_token_is_of_no_use_to_another_caller(gateway: tuple[Running, int]) -> None:
    running, admin = gateway
    token = api(admin, "POST", "/v1/tasks", {"task": "monthly-close"}, key="guest")[1]["token"]
    answer = running.modern("tools/list", key="teller", headers={"Txn-Token": token})[2]
    assert "error" in answer


def test_a_callers_own_word_is_enough_where_a_rule_says_so(gateway: tuple[Running, int]) -> None:
    running, _ = gateway
    call = {"name": "read_account", "arguments": {}}
    assert "error" in running.modern("tools/call", call, key="guest")[2]
    answer = running.modern("tools/call", call, key="guest", meta={ASSERTED: "research"})[2]
    assert "isError" not in answer["result"]
    assert "error" in running.modern("tools/call", call, key="guest", meta={ASSERTED: "monthly-close"})[2]


@pytest.mark.parametrize(
    ("body", "key", "status", "says"),
    [
        ({"tools": ["read"]}, "teller", 400, "names no server"),
        ({"tool": ["bank/*"]}, "teller", 400, "tool"),
        ({"seconds": 601}, "teller", 400, "at most 600"),
        ({"seconds": -1}, "teller", 400, "seconds"),
        ({"calls": 0}, "teller", 400, "calls"),
        ({"task": "other"}, "teller", 400, "no such declared task"),
        ({"task": "monthly-close", "tools": ["*"]}, "guest", 400, "stand in the config"),
        ({}, "guest", 403, "may not open"),
        ({}, None, 401, "Authentication"),
    ],
)
def test_a_task_that_may_not_be_opened_is_told_why(
    gateway: tuple[Running, int], body: Any, key: str | None, status: int, says: str
) -> None:
    answered, answer = api(gateway[1], "POST", "/v1/tasks", body, key=key)
    assert (answered, says in answer["error"]) == (status, True), answer


def test_a_task_is_seen_and_closed_by_those_it_concerns_only(gateway: tuple[Running, int]) -> None:
    _, admin = gateway
    opened = api(admin, "POST", "/v1/tasks", {})[1]
    path = f"/v1/tasks/{opened['id']}"
    assert api(admin, "GET", path, key="guest")[0] == 404
    assert api(admin, "DELETE", path, key="guest")[0] == 404
    assert opened["id"] in {one["id"] for one in api(admin, "GET", "/v1/tasks")[1]["tasks"]}
    assert "token" not in api(admin, "GET", path)[1]
