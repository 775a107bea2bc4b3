"""Dies when asked to, or at once when called with `early`."""

import sys
from typing import Any

from wire import say, serve


def act(message: dict[str, Any]) -> None:
    if message.get("method") == "die":
        print("out of tea", file=sys.stderr, flush=True)
        sys.exit(3)
    if message.get("method") == "die-after-answer":
        say(id=message["id"], result="last words")
        sys.exit(0)


if "early" in sys.argv:
    print("no configuration", file=sys.stderr, flush=True)
    sys.exit(4)
serve(act)
