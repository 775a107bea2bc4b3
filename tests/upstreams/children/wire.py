"""What every child here shares: one JSON message per line, the handshake, a loop. Plain Python, no SDK."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

INFO = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "child"}}


def say(**fields: Any) -> None:
    sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n")
    sys.stdout.buffer.flush()


def hear() -> Iterator[dict[str, Any]]:
    for line in sys.stdin.buffer:
        yield json.loads(line)


def serve(act: Callable[[dict[str, Any]], None]) -> None:
    """Shake hands and answer `pid`; everything else is for `act`."""
    for message in hear():
        if message.get("method") == "initialize":
            say(id=message["id"], result=INFO)
        elif message.get("method") == "pid":
            say(id=message["id"], result=os.getpid())
        else:
            act(message)
