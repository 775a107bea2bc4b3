"""Tasks: a tool call that is answered later keeps its server, its tool and its caller, in both kinds of protocol."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from crossing_gateway import MODERN, Gateway, running

EXTENSION = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
RELATED = "io.modelcontextprotocol/related-task"
OWN = "own-7"


class Bureau(BaseHTTPRequestHandler):
    """A server of both kinds whose tools take their time; the SDKs do not have both kinds of tasks."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Bureau.seen.append({"message": message, "name": self.headers.get("mcp-name")})
        if "id" not in message:
            self._answer(202, b"")
            return
        params, stateless = message.get("params", {}), self.headers.get("mcp-protocol-version") == MODERN
        body = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            body["result"] = getattr(self, "_" + message["method"].replace("/", "_"))(params, stateless)
        except LookupError:
            body["error"] = {"code": -32601, "message": "This tool needs to be called as a task."}
        self._answer(200, json.dumps(body, separators=(",", ":")).encode())

    def _initialize(self, params: Any, stateless: bool) -> Any:
        tasks = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}, "tasks": tasks},
            "serverInfo": {"name": "bureau", "version": "1"},
        }

    def _server_discover(self, params: Any, stateless: bool) -> Any:
        return {
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {}, **EXTENSION},
        }

    def _tools_call(self, params: Any, stateless: bool) -> Any:
        if params["name"] == "must" and "task" not in params:
            raise LookupError
        lifetime = {"must": 60_000, "dig": 60_000, "brief": 0, "long": None}[params["name"]]
        if stateless:
            return {"resultType": "task", "taskId": OWN, "status": "working", "ttlMs": lifetime}
        return {"task": {"taskId": OWN, "status": "working", "ttl": lifetime}}

    def _tasks_get(self, params: Any, stateless: bool) -> Any:
        assert params["taskId"] == OWN
        kind = {"resultType": "complete"} if stateless else {}
        return {**kind, "taskId": OWN, "status": "completed"}

    def _tasks_result(self, params: Any, stateless: bool) -> Any:
        return {"content": [{"type": "text", "text": OWN}], "_meta": {RELATED: {"taskId": OWN}, "x": 1}}

    def _tasks_cancel(self, params: Any, stateless: bool) -> Any:
        return self._tasks_get(params, stateless)

    def _tasks_update(self, params: Any, stateless: bool) -> Any:
        return {"resultType": "complete"}

    def do_GET(self) -> None:
        self._answer(405, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bureau)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    servers = f"  desk: {{url: 'http://127.0.0.1:{server.server_address[1]}/mcp'}}"
    servers += "\n" + servers.replace("desk", "old").replace("}", ", revision: '2025-11-25'}")
    with running(tmp_path_factory.mktemp("gateway"), servers) as gateway:
        yield gateway
    server.shutdown()
    server.server_close()


def stateless(gateway: Gateway, method: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer to a client that knows the extension."""
    return gateway.modern(method, params, **{"capabilities": EXTENSION, **more})[1][-1]


def begun(gateway: Gateway, tool: str = "dig") -> str:
    """The id of a task, as a stateless client gets it."""
    result = stateless(gateway, "tools/call", {"name": tool, "arguments": {}})["result"]
    assert result["resultType"] == "task"
    return str(result["taskId"])


def test_a_task_of_the_extension_is_asked_about_under_the_id_that_was_given(gateway: Gateway) -> None:
    """E73: the server's own id is never shown, and never asked for by another name."""
    shown = begun(gateway)
    assert OWN not in shown
    for method in ("tasks/get", "tasks/cancel"):
        result = stateless(gateway, method, {"taskId": shown})["result"]
        assert (result["taskId"], result["resultType"]) == (shown, "complete")
        sent = Bureau.seen[-1]
        assert (sent["message"]["params"]["taskId"], sent["name"]) == (OWN, OWN)
    answered = stateless(gateway, "tasks/update", {"taskId": shown, "inputResponses": {}})
    assert answered["result"] == {"resultType": "complete"}
    record = gateway.records()[-1]
    assert (record["method"], record["server"], record["target"]) == ("tasks/update", "desk", "dig")


def test_a_task_of_2025_11_25_is_asked_about_under_the_id_that_was_given(gateway: Gateway) -> None:
    """E73: also where a message says that it is related to it."""
    session, _ = gateway.session()
    call = {"name": "long", "arguments": {}, "task": {"ttl": 60_000}}
    shown = gateway.legacy("tools/call", call, session=session)[1][0]["result"]["task"]["taskId"]
    assert OWN not in shown
    got = gateway.legacy("tasks/get", {"taskId": shown}, session=session)[1][0]["result"]
    assert got == {"taskId": shown, "status": "completed"}
    result = gateway.legacy("tasks/result", {"taskId": shown}, session=session)[1][0]["result"]
    assert result["_meta"] == {RELATED: {"taskId": shown}, "x": 1}
    assert result["content"][0]["text"] == OWN
    assert (
        gateway.legacy("tasks/cancel", {"taskId": shown}, session=session)[1][0]["result"]["taskId"] == shown
    )


def test_the_id_of_another_caller_is_worth_as_much_as_an_invented_or_expired_one(gateway: Gateway) -> None:
    """E73: nobody finds out what others work on."""
    seen = len(Bureau.seen)
    shown, brief = begun(gateway), begun(gateway, "brief")
    answers = [
        stateless(gateway, "tasks/get", {"taskId": shown}, key="bob"),
        stateless(gateway, "tasks/get", {"taskId": OWN}),
        stateless(gateway, "tasks/get", {"taskId": brief}),
        stateless(gateway, "tasks/cancel", {"taskId": shown[:-2]}),
    ]
    assert len({json.dumps(one) for one in answers}) == 1
    assert answers[0]["error"]["code"] == -32602
    assert [one["message"]["method"] for one in Bureau.seen[seen:]].count("tasks/get") == 0


def test_who_did_not_declare_the_extension_is_given_no_task_and_told_of_none(gateway: Gateway) -> None:
    """E69, E73."""
    shown = begun(gateway)
    asked = gateway.modern("tasks/get", {"taskId": shown})
    assert (asked[0], asked[1][0]["error"]["code"]) == (400, -32021)
    assert asked[1][0]["error"]["data"]["requiredCapabilities"] == EXTENSION
    given = gateway.modern("tools/call", {"name": "dig", "arguments": {}})[1][0]
    assert given["error"]["code"] == -32603


def test_a_header_that_names_another_task_is_refused(gateway: Gateway) -> None:
    """E73, E17."""
    shown, other = begun(gateway), begun(gateway)
    params = {"taskId": shown, "name": other}
    assert stateless(gateway, "tasks/get", params)["error"]["code"] == -32020


def test_a_list_of_tasks_is_offered_to_nobody(gateway: Gateway) -> None:
    """E73: servers list by our credential, which many callers share."""
    session, opened = gateway.session()
    assert opened["capabilities"]["tasks"] == {"cancel": {}, "requests": {"tools": {"call": {}}}}
    assert gateway.legacy("tasks/list", session=session)[1][0]["error"]["code"] == -32601


def test_a_tool_that_answers_later_only_is_waited_for(gateway: Gateway) -> None:
    """20.1, E73: for a stateless client at a server with sessions, whose tasks it does not know."""
    seen = len(Bureau.seen)
    result = gateway.modern("tools/call", {"name": "must", "arguments": {}}, door="old")[1][-1]["result"]
    assert result["content"] == [{"type": "text", "text": OWN}]
    assert result["_meta"] == {"x": 1}
    assert result["resultType"] == "complete"
    sent = [one["message"] for one in Bureau.seen[seen:]]
    assert [one["method"] for one in sent][-3:] == ["tools/call", "tools/call", "tasks/result"]
    assert [one["params"].get("task") for one in sent[-3:]] == [None, {}, None]
    assert "tasks" not in gateway.modern("server/discover", door="old")[1][0]["result"]["capabilities"]
