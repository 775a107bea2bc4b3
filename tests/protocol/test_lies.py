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
