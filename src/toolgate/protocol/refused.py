"""How a refusal reads on the wire, for each kind of client. One table for every error. No I/O.

| what | modern | with sessions |
|---|---|---|
| a tool refused in this call | 200, result with `isError` and the reason | the same |
| no credential, session unusable, broken message | its status | its status |
| anything else | its status | 200 with a JSON-RPC error, since clients take other statuses for a dead server |
"""

from toolgate.errors import Refusal
from toolgate.protocol import jsonrpc, versions

_SPEAKING_STATUSES = frozenset({400, 401, 403, 404, 405, 406, 409, 413, 415, 429, 431})
_STAGES_OF_THE_EDGE = frozenset({"protocol", "session", "identity", "edge"})


def write(refusal: Refusal, *, id: bytes | None, method: str, revision: str) -> tuple[int, bytes]:
    """HTTP status and JSON-RPC message."""
    modern = versions.is_modern(revision)
    if refusal.kind == "denied" and method == "tools/call" and id is not None:
        return 200, _tool_result(refusal, id, modern=modern)
    data = refusal.data if refusal.data is not None else {"reason": refusal.kind}
    message = jsonrpc.error(id, refusal.code, refusal.text, data)
    if modern or (refusal.stage in _STAGES_OF_THE_EDGE and refusal.status in _SPEAKING_STATUSES):
        return refusal.status, message
    return 200, message


def _tool_result(refusal: Refusal, id: bytes, *, modern: bool) -> bytes:
    result = {"content": [{"type": "text", "text": refusal.text}], "isError": True}
    return jsonrpc.result(id, {**result, "resultType": "complete"} if modern else result)
