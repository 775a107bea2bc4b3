"""What a server writes that is no MCP costs that call, as a lie of the server: never an incident of ours."""

import pytest
from msgspec import Raw

from toolgate.errors import Refusal
from toolgate.model import Call
from toolgate.protocol import bridge, merge
from toolgate.protocol.methods import METHODS

CALL = Call("2026-07-28", "", "tools/call", b"", {"_meta": {"progressToken": "t"}}, id=b"1")


@pytest.mark.parametrize(
    "message",
    [
        b'{"method":"notifications/progress","params":[7]}',
        b'{"method":"notifications/progress","params":{"\xef":7}}',
        b'{"id":7,"result":{"contents":[7],"x":"uri","uri":1}}',
        b'{"id":7,"result":{"content":{"uri":"a:b"}}}',
    ],
)
def test_an_answer_of_a_wrong_shape_is_a_lie(message: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        bridge.Return(CALL, 7, "bank", shared=True).read(message)
    assert refused.value.kind == "upstream_invalid"


def test_a_list_in_another_encoding_is_none() -> None:
    """E09: clients would be shown what they cannot read."""
    with pytest.raises(ValueError, match="utf-8"):
        merge.page(Raw(b'{"tools":[{"name":"a","\xef":1}]}'), METHODS["tools/list"])


def test_an_entry_with_an_odd_meta_is_shown_as_it_is() -> None:
    """One bad tool must not cost the list."""
    method = METHODS["tools/list"]
    (entry,) = merge.page(Raw(b'{"tools":[{"name":"a","_meta":"ui://x"}]}'), method).entries
    assert (
        bytes(merge.behind_shared_door(entry, method, "bank", "__")) == b'{"name":"bank__a","_meta":"ui://x"}'
    )


@pytest.mark.parametrize(
    ("method", "result", "good"),
    [
        ("tools/call", b'{"resultType":"input_required","requestState":"s"}', True),
        ("prompts/get", b'{"resultType": "input_required","inputRequests":{"a":{}}}', True),
        ("tools/call", b'{"resultType":"input_required"}', False),
        ("completion/complete", b'{"resultType":"input_required","requestState":"s"}', False),
        ("tools/call", b'{"resultType":"com.example/other"}', False),
        ("tools/call", b'{"resultType":7}', False),
        ("tools/call", b'{"resultType": "complete"}', True),
        ("tools/call", b"{}", True),
    ],
)
def test_a_stateless_client_is_given_no_result_it_did_not_agree_to(
    method: str, result: bytes, good: bool
) -> None:
    """E68, E69."""
    meta = {"io.modelcontextprotocol/clientCapabilities": {}}
    call = Call("2026-07-28", "bank", method, b"", {"_meta": meta}, id=b"1")
    back = bridge.Return(call, 7, "bank", shared=False)
    message = b'{"jsonrpc":"2.0","id":7,"result":%b}' % result
    if good:
        back.read(message)
        return
    with pytest.raises(Refusal) as refused:
        back.read(message)
    assert refused.value.code == -32603
