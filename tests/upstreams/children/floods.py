"""Sends more than anybody wants: notifications, stderr, progress, or a line without an end."""

import sys
from typing import Any

from wire import say, serve


def act(message: dict[str, Any]) -> None:
    number, params = message.get("id"), message.get("params", {})
    match message.get("method"):
        case "notifications":
            for count in range(params["count"]):
                say(method="notifications/message", params={"level": "info", "data": count})
            say(id=number, result="done")
        case "progress":
            for count in range(params["count"]):
                say(method="notifications/progress", params={"progressToken": number, "progress": count})
            say(id=number, result="done")
        case "stderr":
            sys.stderr.write(("x" * 5000 + "\n") * 400)
            sys.stderr.flush()
            say(id=number, result="done")
        case "endless":
            while True:
                sys.stdout.buffer.write(b"x" * 65536)


serve(act)
