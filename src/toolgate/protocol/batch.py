"""Arrays of messages, which only 2025-03-26 has. No I/O."""

import json
from typing import Any

from toolgate.errors import Refusal
from toolgate.protocol import versions
from toolgate.protocol.headers import Headers

MAX_ITEMS = 100


def check(headers: Headers, messages: list[Any]) -> None:
    """Raises `Refusal` (-32600) where an array is not allowed or holds nothing usable (E04)."""
    if headers.version not in (None, versions.BATCHES):
        raise Refusal.invalid("One JSON-RPC message is expected.")
    if not messages or len(messages) > MAX_ITEMS:
        raise Refusal.invalid(f"A batch holds 1 to {MAX_ITEMS} messages.")
    for message in messages:
        if not isinstance(message, dict):
            raise Refusal.invalid("A batch holds JSON-RPC messages.")
        if message.get("method") == "initialize":
            raise Refusal.invalid("initialize is never part of a batch.")


def item(message: dict[str, Any]) -> bytes:
    """One message of a batch as a body of its own. Integers of any size survive."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
