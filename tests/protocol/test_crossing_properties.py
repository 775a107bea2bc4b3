"""Whatever a message holds beside what the two kinds of protocol differ in goes through as it is."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from toolgate.model import Session
from toolgate.protocol import bridge, modern, to_sessions, to_stateless

_names = st.sampled_from(["a", "uri", "task", "io.modelcontextprotocol/x", "com.example/y", "ü"])
_leaf = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text('aü"\\\n', max_size=5)
_value = st.recursive(
    _leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)
_object = st.dictionaries(_names, _value, max_size=4)

ENVELOPE = {
    modern.VERSION_KEY: "2026-07-28",
    modern.CAPABILITIES_KEY: {"roots": {}},
    modern.META + "clientInfo": {"name": "n", "version": "1"},
    modern.META + "logLevel": "info",
}
ROUND = {"requestState": "s", "inputResponses": {"elicitation-0": {"action": "cancel"}}}


def text(message: Any) -> bytes:
    return json.dumps(message).encode()


@given(_object, _object, st.booleans())
def test_a_request_loses_its_envelope_and_its_answers_and_nothing_else(
    params: dict[str, Any], meta: dict[str, Any], again: bool
) -> None:
    """E10, E11."""
    sent = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "x-own": 1,
        "params": {**params, "_meta": meta},
    }
    whole = {**sent, "params": {**params, **(ROUND if again else {}), "_meta": {**meta, **ENVELOPE}}}
    request = to_sessions.request(text(whole), "tools/call")
    assert json.loads(request.message) == (sent if meta else {**sent, "params": params})
    assert json.loads(request.capabilities) == {"roots": {}}
    assert set(request.answers) == (set(ROUND["inputResponses"]) if again else set())


@given(_object, _object)
def test_every_round_of_a_call_is_the_same_call_whatever_the_client_adds_to_it(
    params: dict[str, Any], meta: dict[str, Any]
) -> None:
    """E66: the digest is of what the call is about, in any order of keys, and of nothing else."""
    first = {"id": 1, "params": {**params, "_meta": {**ENVELOPE, "progressToken": 1}}}
    turned = dict(reversed(list(params.items())))
    second = {"id": 2, "params": {**ROUND, **turned, "_meta": {**meta, **ENVELOPE}}}
    other = {"id": 1, "params": {**params, "name": "another", "_meta": ENVELOPE}}
    digests = [to_sessions.request(text(one), "tools/call").digest for one in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]


@given(_object, _object)
def test_a_request_gains_an_envelope_and_keeps_the_rest(params: dict[str, Any], meta: dict[str, Any]) -> None:
    """E10, E11."""
    session = Session("s", "p", "2025-11-25", {"sampling": {}}, {"name": "n", "version": "1"}, 0.0)
    sent = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "x-own": 1,
        "params": {**params, "_meta": meta},
    }
    got = json.loads(to_stateless.request(text(sent), session, "info"))
    added = {key: got["params"]["_meta"].pop(key) for key in ENVELOPE}
    assert got == sent
    assert added == {**ENVELOPE, modern.CAPABILITIES_KEY: {"sampling": {}}}


@given(_object)
def test_a_result_that_crosses_twice_is_what_it_was(result: dict[str, Any]) -> None:
    """E10, E11: what one crossing adds, the other takes away."""
    session_words = text({"jsonrpc": "2.0", "id": 1, "x-own": [1], "result": result})
    stateless = to_sessions.response(bridge.fields(session_words), "resources/read", "x://y")
    added = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    assert json.loads(stateless)["result"] == {**result, **added}
    back = to_stateless.response(bridge.fields(stateless), "resources/read", "2025-11-25")
    assert json.loads(back) == json.loads(session_words)
