"""What a record becomes in each form. Names and numbers are those of the published schemas."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.model import Record
from toolgate.ports import Recorded
from toolgate.sinks.shapes import cef, ecs, metering, ocsf, otlp, record
from toolgate.sinks.syslog import framed

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

CALL = Record(
    "01a21203-3600-7083-881c-bd4f3a9ecd01",
    "2026-11-25T10:00:01.000250Z",
    method="tools/call",
    revision="2026-07-28",
    client_ip="192.0.2.7",
    auth="jwt",
    principal="https://login.example.com|agent-7",
    agent="closing-agent",
    user="alice",
    tenant="acme",
    task="monthly-close",
    kind="tool",
    server="bank",
    target="read_account",
    arguments_digest="hmac-sha256:00",
    decision="allow",
    rule="analysts-read-accounts",
    policy="sha256:01",
    config="sha256:02",
    outcome="ok",
    upstream_us=1500,
    total_us=2500,
    request_bytes=100,
    response_bytes=300,
)
DENIED = msgspec.structs.replace(
    CALL, decision="deny", rule="large", reason="Too large.", outcome="refused", code=-31403, upstream_us=None
)
TOOL_ERROR = msgspec.structs.replace(CALL, outcome="tool_error")
FAILED = msgspec.structs.replace(CALL, outcome="error", code=-32603)
LIST = Record(CALL.id, CALL.ts, method="tools/list", outcome="ok", total_us=10, client_ip="::1")
STRANGER = Record(CALL.id, CALL.ts, method="tools/call", outcome="refused", code=-31401)
UNKNOWN = msgspec.structs.replace(STRANGER, code=-32602)
ACT = Record(CALL.id, CALL.ts, event="gateway", method="config_changed", detail="config sha256:03")
BEGIN = msgspec.structs.replace(CALL, event="begin", outcome=None)
EVERY = [CALL, DENIED, TOOL_ERROR, FAILED, LIST, STRANGER, ACT]


def recorded(one: Record, seq: int = 42) -> Recorded:
    return Recorded(seq, msgspec.json.encode(one), "ab" * 32, "cd" * 32)


def said(shape, one: Record):
    body = shape(recorded(one))
    assert b"\n" not in body
    return json.loads(body)


def test_the_record_itself_bears_its_number_and_hash():
    document = said(record.shape, CALL)
    assert (document["seq"], document["hash"], document["id"]) == (42, "ab" * 32, CALL.id)
    assert said(record.shape, BEGIN)["event"] == "begin"


@pytest.mark.parametrize("shape", [ocsf.shape, ecs.shape, cef.shape, metering.shape, otlp.spans(1.0)])
def test_a_begin_is_told_with_its_end(shape):
    assert shape(recorded(BEGIN)) is None


class TestOcsf:
    """Checked by hand against ocsf-schema 1.9.0-dev: classes 6003 and 3004 with their profiles."""

    @pytest.mark.parametrize("one", EVERY)
    def test_what_the_schema_requires_is_there(self, one):
        event = said(ocsf.shape, one)
        required = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
        required |= {"entity"} if one is ACT else {"actor", "api", "src_endpoint"}
        assert required <= event.keys()
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert {"product", "version"} <= event["metadata"].keys()
        assert event["metadata"]["profiles"][-1] == "record_integrity"
        assert None not in flat(event)

    def test_a_call(self):
        event = said(ocsf.shape, CALL)
        assert (event["class_uid"], event["activity_id"], event["time"]) == (6003, 99, 1795600801000)
        assert event["actor"]["user"] == {"name": "alice", "uid": CALL.principal, "type_id": 1}
        assert event["ai_agent"] == {"uid": "closing-agent", "name": "closing-agent"}
        assert event["api"]["service"] == {"name": "bank"}
        assert (event["action_id"], event["disposition_id"], event["status_id"]) == (1, 1, 1)
        assert event["policy"]["version"] == "sha256:01"
        assert event["metadata"]["sequence"] == 42

    def test_a_denial(self):
        event = said(ocsf.shape, DENIED)
        assert (event["action_id"], event["disposition_id"], event["status_id"]) == (2, 2, 2)
        assert (event["status_code"], event["status_detail"]) == ("-31403", "Too large.")

    def test_the_place_in_the_chain(self):
        (attestation,) = said(ocsf.shape, CALL)["attestation_list"]
        assert attestation["fingerprint"] == {
            "algorithm_id": 3,
            "encoding_id": 1,
            "serialization_id": 1,
            "value": "ab" * 32,
        }
        assert attestation["prev_event"]["fingerprint"]["value"] == "cd" * 32

    def test_a_list_is_a_read(self):
        assert said(ocsf.shape, LIST)["activity_id"] == 2

    def test_an_act_of_the_gateway_is_entity_management(self):
        event = said(ocsf.shape, ACT)
        assert (event["class_uid"], event["type_uid"]) == (3004, 300499)
        assert event["message"] == "config_changed: config sha256:03"


class TestEcs:
    def test_a_call(self):
        document = said(ecs.shape, CALL)
        assert document["@timestamp"] == CALL.ts
        assert document["event"]["duration"] == 2_500_000
        assert (document["event"]["type"], document["event"]["outcome"]) == (["access"], "success")
        assert document["gen_ai"]["tool"] == {"name": "read_account"}
        assert document["mcp"]["server"] == {"name": "bank"}
        assert document["rule"] == {"id": "analysts-read-accounts", "version": "sha256:01"}
        assert None not in flat(document)

    def test_a_denial(self):
        event = said(ecs.shape, DENIED)["event"]
        assert (event["type"], event["outcome"], event["reason"]) == (["denied"], "failure", "Too large.")

    def test_an_act_of_the_gateway(self):
        event = said(ecs.shape, ACT)["event"]
        assert (event["category"], event["type"], event["action"]) == (
            ["configuration"],
            ["change"],
            "config_changed",
        )


class TestCef:
    def test_a_call(self):
        line = cef.shape(recorded(CALL)).decode()
        assert line.startswith(
            "CEF:0|Toolgate|Toolgate|0.1.0|call:tools/call|tools/call ok|3|rt=1795600801000 "
        )
        for pair in (
            "suser=alice",
            "act=allow",
            "request=bank/read_account",
            "cs2=closing-agent cs2Label=agent",
        ):
            assert pair in line

    @given(text=st.text(max_size=40))
    def test_no_value_ends_its_field_or_its_line(self, text):
        line = cef.shape(recorded(msgspec.structs.replace(CALL, user=f"a{text}", method=f"m{text}"))).decode()
        assert "\n" not in line
        assert "\r" not in line
        assert len(split_unescaped(line, "|")) >= 8


class TestMetering:
    """STOA's `ToolCallEvent`."""

    def test_a_call(self):
        assert said(metering.shape, CALL) == {
            "event_id": CALL.id,
            "timestamp": CALL.ts,
            "tenant_id": "acme",
            "user_id": "alice",
            "consumer_id": "closing-agent",
            "tool_name": "bank/read_account",
            "action": "execute",
            "latency_ms": 2,
            "status": "success",
            "request_size_bytes": 100,
            "response_size_bytes": 300,
            "t_gateway_ms": 1,
            "t_backend_ms": 1,
            "gateway_id": "toolgate",
            "token_count": 100,
        }

    @pytest.mark.parametrize(
        ("one", "status"),
        [
            (TOOL_ERROR, "error"),
            (DENIED, "policy_denied"),
            (STRANGER, "error"),
            (UNKNOWN, "not_found"),
            (FAILED, "error"),
        ],
    )
    def test_how_it_ended(self, one, status):
        assert said(metering.shape, one)["status"] == status

    @pytest.mark.parametrize("one", [LIST, ACT])
    def test_only_tool_calls_are_metered(self, one):
        assert metering.shape(recorded(one)) is None


class TestOtlp:
    def spans(self, one: Record, share: float = 1.0):
        body = otlp.spans(share)(recorded(one))
        return None if body is None else json.loads(b"[" + body + b"]")

    def attributes(self, span):
        return {one["key"]: one["value"]["stringValue"] for one in span["attributes"]}

    def test_a_call_is_a_server_span_with_a_client_span_inside(self):
        server, client = self.spans(CALL)
        assert (server["name"], server["kind"], client["kind"]) == ("tools/call read_account", 2, 3)
        assert client["parentSpanId"] == server["spanId"] != client["spanId"]
        assert server["traceId"] == client["traceId"] == CALL.id.replace("-", "")
        assert int(server["endTimeUnixNano"]) - int(server["startTimeUnixNano"]) == 2_500_000
        assert int(client["endTimeUnixNano"]) == int(server["endTimeUnixNano"])
        known = self.attributes(server)
        assert known["mcp.method.name"] == "tools/call"
        assert known["gen_ai.operation.name"] == "execute_tool"
        assert known["gen_ai.tool.name"] == "read_account"
        assert known["mcp.protocol.version"] == "2026-07-28"
        assert known["toolgate.task.id"] == "monthly-close"

    def test_the_callers_trace_goes_on(self):
        server, client = self.spans(msgspec.structs.replace(CALL, trace=PARENT))
        assert server["traceId"] == client["traceId"] == "0af7651916cd43dd8448eb211c80319c"
        assert server["parentSpanId"] == "b7ad6b7169203331"

    def test_a_denial_is_no_error_of_the_server_and_asks_no_upstream(self):
        """The convention: only -32603 and -32000 to -32099 are errors of a server span."""
        (server,) = self.spans(DENIED)
        assert server["status"] == {}
        assert self.attributes(server)["error.type"] == "-31403"

    def test_an_error_of_the_upstream_is_one_on_both(self):
        server, client = self.spans(FAILED)
        assert (server["status"], client["status"]) == ({"code": 2}, {"code": 2})

    def test_a_tool_error_is_told_apart(self):
        server, _ = self.spans(TOOL_ERROR)
        assert self.attributes(server)["error.type"] == "tool_error"

    def test_a_session_is_never_named_for_the_stateless_revision(self):
        with_session = msgspec.structs.replace(CALL, session="s-1")
        assert "mcp.session.id" not in self.attributes(self.spans(with_session)[0])
        legacy = msgspec.structs.replace(with_session, revision="2025-11-25")
        assert self.attributes(self.spans(legacy)[0])["mcp.session.id"] == "s-1"

    def test_the_callers_decision_to_sample_counts_and_else_the_share(self):
        assert self.spans(msgspec.structs.replace(CALL, trace=PARENT), share=0) is not None
        assert self.spans(msgspec.structs.replace(CALL, trace=PARENT[:-1] + "0")) is None
        assert self.spans(CALL, share=0) is None


class TestSyslog:
    def test_a_frame_counts_its_bytes_and_follows_rfc_5424(self):
        frame = framed(record.shape)(recorded(DENIED))
        length, _, text = frame.partition(b" ")
        assert int(length) == len(text)
        assert text.startswith(b"<109>1 2026-11-25T10:00:01.000250Z ")
        assert b" toolgate " in text
        assert b" call - {" in text

    def test_what_is_not_told_is_not_framed(self):
        assert framed(cef.shape)(recorded(BEGIN)) is None


@pytest.mark.parametrize(
    "shape", [record.shape, ocsf.shape, ecs.shape, cef.shape, metering.shape, otlp.spans(1.0)]
)
def test_the_same_record_always_becomes_the_same_bytes(shape):
    assert shape(recorded(CALL)) == shape(recorded(CALL))


def flat(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from flat(one)
    elif isinstance(value, list):
        for one in value:
            yield from flat(one)
    else:
        yield value


def split_unescaped(line: str, mark: str) -> list[str]:
    parts, escaped = [""], False
    for char in line:
        if char == mark and not escaped:
            parts.append("")
        else:
            parts[-1] += char
        escaped = char == "\\" and not escaped
    return parts
