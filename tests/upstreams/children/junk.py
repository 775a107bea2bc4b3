"""Prints everything but messages to stdout, before and between its answers."""

import sys
from typing import Any

from wire import say, serve

JUNK = (
    b"Server listening on stdio\n",
    b'{"level": "info", "msg": "started"}\n',
    b"\xff\xfe\x00 binary\r\n",
    b"[1, 2]\n42\nnull\n\n   \n",
    b'{"id": null, "result": {}}\n',
    b'{"jsonrpc": "2.0", "method": 7}\n',
    b'{"jsonrpc": "2.0", "id": 1, "result": NaN}\n',
    b'{"a":' * 3000 + b"\n",
)


def litter() -> None:
    sys.stdout.buffer.write(b"".join(JUNK))
    sys.stdout.buffer.flush()


def act(message: dict[str, Any]) -> None:
    if "id" in message:
        litter()
        say(id=message["id"], result="clean")


litter()
serve(act)
