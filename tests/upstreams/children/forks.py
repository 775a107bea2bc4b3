"""Has a grandchild that ignores SIGTERM and holds the pipes open."""

import os
import signal
from typing import Any

from wire import say, serve


def act(message: dict[str, Any]) -> None:
    if message.get("method") != "fork":
        return
    grandchild = os.fork()
    if grandchild == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()
    say(id=message["id"], result=grandchild)


serve(act)
