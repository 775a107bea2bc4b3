"""100,000 inputs of chance through the real listener: each gets the error it deserves, none a 500, none ends it.

`TOOLGATE_SEED` chooses other inputs; a failure names the number of its input, and `garbage.make` makes it again.
"""

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from garbage import make
from gateway_support import Running
from wire import Wire

COUNT = int(os.environ.get("TOOLGATE_GARBAGE", "100000"))
SEED = int(os.environ.get("TOOLGATE_SEED", str(random.Random().randrange(10**6))))
THREADS = 4
SHOWN = 20
"""Wrong answers that are kept."""


class Stranger(threading.Thread):
    """Sends its share of the inputs."""

    def __init__(self, port: int, numbers: range) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._numbers = numbers
        self.kinds: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        wire = Wire(self._port)
        for number in self._numbers:
            garbage = make(SEED, number)
            try:
                answer = wire.send(garbage)
                self.answers[answer[0]] += 1
                assert answer in garbage.right, f"{answer} is not one of {sorted(garbage.right, key=str)[:5]}"
                assert garbage.id is None or garbage.id == _id(wire.body), wire.body[:200]
            except (AssertionError, OSError, ValueError) as error:
                wire.close()
                self._wrong(number, f"{garbage.kind}: {error!r}", garbage.sent)
            self.kinds[garbage.kind] += 1
            if len(self.wrong) >= SHOWN:
                break
        wire.close()

    def _wrong(self, number: int, text: str, sent: bytes) -> None:
        self.wrong.append(f"make({SEED}, {number}) {text}\n    {sent[:300]!r}...{sent[-200:]!r}")


def test_garbage_gets_the_error_it_deserves(gateway: Running, tell: Callable[[str], None]) -> None:
    tell(f"{COUNT} inputs of seed {SEED}")
    gateway.modern("tools/list")  # From now on it knows the schemas.
    strangers = [Stranger(gateway.port, range(at, COUNT, THREADS)) for at in range(THREADS)]
    for stranger in strangers:
        stranger.start()
    while any(stranger.is_alive() for stranger in strangers):
        for stranger in strangers:
            stranger.join(5)
        tell(
            f"{sum(sum(one.kinds.values()) for one in strangers)} of {COUNT} sent, gateway at {_memory(gateway)} MB"
        )
    kinds = sum((one.kinds for one in strangers), Counter[str]())
    answers = sum((one.answers for one in strangers), Counter[int]())
    wrong = [text for one in strangers for text in one.wrong]
    tell(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    tell(
        "answers by status: "
        + ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(answers.items()))
    )
    assert wrong == [], "\n".join(wrong[:SHOWN])
    assert sum(answers.values()) == COUNT
    assert not [status for status in answers if status >= 500]
    assert gateway.process.poll() is None
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": {}})[0] == 200
    said = (gateway.folder / "stderr").read_text()
    assert "Traceback" not in said, said[-5000:]
    assert "incident" not in said, said[-5000:]


def _id(body: bytes) -> object:
    message = json.loads(body)
    return message["id"] if isinstance(message, dict) else None


def _memory(gateway: Running) -> int:
    pages = Path(f"/proc/{gateway.process.pid}/statm")
    return int(pages.read_text().split()[1]) * 4096 // 10**6 if pages.exists() else 0
