"""A running gateway decides for others over the AuthZEN Authorization API 1.0, by the policy it decides by itself."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_support import Running, bearer, free_port, records, serve_bank

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
ADA = {"type": "identity", "id": "ada", "properties": {"roles": ["teller"]}}
READ = {"type": "tool", "id": "bank/read_account"}
TRANSFER = {"type": "tool", "id": "bank/transfer_funds"}
CALL = {"name": "tools/call"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, int]]:
    bank, admin = serve_bank(), free_port()
    folder = tmp_path_factory.mktemp("authzen")
    running = Running(folder, bank.server_address[1], "authzen: {role: teller}\n", admin=admin)
    yield running, admin
    running.stop()
    bank.shutdown()
    bank.server_close()


def ask(
    port: int,
    path: str,
    body: Any,
    *,
    key: str | None = "teller",
    method: str = "POST",
    kind: str = "application/json",
) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**bearer(key), "content-type": kind, "x-request-id": "r-1"}
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(answer.read())
    finally:
        connection.close()


def transfer(amount: Any) -> dict[str, Any]:
    action = {"name": "tools/call", "properties": {"arguments": {"amount": amount}}}
    return {"subject": ADA, "action": action, "resource": TRANSFER}


def test_the_metadata_names_the_endpoints(gateway: tuple[Running, int]) -> None:
    _, admin = gateway
    url = f"http://127.0.0.1:{admin}"
    status, _, found = ask(admin, "/.well-known/authzen-configuration", b"", key=None, method="GET")
    assert (status, found) == (
        200,
        {
            "policy_decision_point": url,
            "access_evaluation_endpoint": url + EVALUATION,
            "access_evaluations_endpoint": url + EVALUATIONS,
        },
    )


def test_a_decision_is_told_with_its_reason_and_recorded(gateway: tuple[Running, int]) -> None:
    running, admin = gateway
    status, headers, answer = ask(admin, EVALUATION, transfer(10_000))
    assert (status, answer, headers["x-request-id"]) == (200, {"decision": True}, "r-1")
    refused = ask(admin, EVALUATION, transfer(10_001))[2]
    context = {"reason": "Too large for an agent.", "effect": "deny", "rule": "large"}
    assert refused == {"decision": False, "context": context}
    last = records(running.folder)[-1]
    assert (last["event"], last["method"], last["server"]) == ("decision", "tools/call", "bank")
    assert (last["target"], last["decision"], last["rule"]) == ("transfer_funds", "deny", "large")
    assert (last["principal"], last["user"], last["auth"]) == ("api_key:teller", "ada", "authzen")


@pytest.mark.parametrize(
    ("subject", "action", "resource", "decision"),
    [
        (ADA, "tools/call", READ, True),
        ({"type": "identity", "id": "bob"}, "tools/call", READ, False),
        ({"type": "identity", "id": "eve", "properties": {"roles": ["guest"]}}, "tools/call", READ, True),
        (ADA, "tools/call", {"type": "tool", "id": "bank/drop"}, False),
        (ADA, "tools/call", {"type": "resource", "id": "bank/read_account"}, False),
        (ADA, "resources/read", {"type": "resource", "id": "bank/file:///a"}, False),
        (ADA, "tools/list", {"type": "mcp_server", "id": "bank"}, True),
        (ADA, "ping", {"type": "mcp_server", "id": "bank"}, True),
        (ADA, "notifications/progress", {"type": "mcp_server", "id": "bank"}, True),
        (ADA, "tools/invent", {"type": "mcp_server", "id": "bank"}, False),
        (ADA, "tools/call", {"type": "mcp_server", "id": "bank"}, False),
        (ADA, "completion/complete", {"type": "mcp_server", "id": "bank"}, False),
    ],
)
def test_methods_and_resources_go_together(
    subject: Any, action: str, resource: Any, decision: bool, gateway: tuple[Running, int]
) -> None:
    """What Toolgate does not know is denied."""
    question = {
        "subject": subject,
        "action": {"name": action},
        "resource": resource,
        "context": {"agent": "a"},
    }
    status, _, answer = ask(gateway[1], EVALUATION, question)
    assert (status, answer["decision"]) == (200, decision)


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        ("execute_all", [True, False, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_many_questions_share_what_they_leave_out(
    semantic: str, decisions: list[bool], gateway: tuple[Running, int]
) -> None:
    one = {"properties": {"arguments": {"amount": 20_000}}, "name": "tools/call"}
    asked = {
        "subject": ADA,
        "action": CALL,
        "evaluations": [{"resource": READ}, {"resource": TRANSFER, "action": one}, {}, {"resource": READ}],
        "options": {"evaluations_semantic": semantic},
    }
    status, _, answer = ask(gateway[1], EVALUATIONS, asked)
    assert (status, [one["decision"] for one in answer["evaluations"]]) == (200, decisions)
    if semantic == "execute_all":
        assert answer["evaluations"][2]["context"]["error"]["status"] == 400


def test_without_evaluations_there_is_one_question(gateway: tuple[Running, int]) -> None:
    answer = ask(gateway[1], EVALUATIONS, transfer(1))[2]
    assert answer == {"decision": True}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not valid JSON"),
        (b'{"subject": 1, "subject": 2}', "stands twice"),
        (b"[]", "the body"),
        ({**transfer(1), "subject": {"type": "identity"}}, "subject.id"),
        ({**transfer(1), "resource": {"type": "tool", "id": "read_account"}}, "server/name"),
        (
            {**transfer(1), "action": {"name": "tools/call", "properties": {"arguments": 1}}},
            "an object is expected",
        ),
        ({**transfer(1), "subject": {**ADA, "properties": {"roles": "teller"}}}, "roles"),
        ({**transfer(1), "subject": {**ADA, "properties": {"user": "bob"}}}, "another one than subject.id"),
    ],
)
def test_a_question_that_cannot_be_read_is_no_decision(
    body: Any, told: str, gateway: tuple[Running, int]
) -> None:
    status, _, answer = ask(gateway[1], EVALUATION, body)
    assert status == 400
    assert told in answer


def test_who_may_ask_is_said_by_identity_and_one_role(gateway: tuple[Running, int]) -> None:
    _, admin = gateway
    assert ask(admin, EVALUATION, transfer(1), key=None)[0] == 401
    assert ask(admin, EVALUATION, transfer(1), key="guest")[0] == 403
    assert ask(admin, EVALUATION, transfer(1), method="GET")[0] == 405
    assert ask(admin, EVALUATION, transfer(1), kind="text/plain")[0] == 400


def test_the_data_plane_decides_for_nobody(gateway: tuple[Running, int]) -> None:
    running, _ = gateway
    assert running.send("POST", EVALUATION, b"{}", {"content-type": "application/json"})[0] == 404
