"""A ledger that grows, and deliveries that do not wait long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from toolgate.ledger.chain import encode
from toolgate.ledger.marks import new_id
from toolgate.ledger.recover import recover
from toolgate.ledger.tail import Tail
from toolgate.model import Record
from toolgate.ports import Shape, Sink
from toolgate.sinks.channels import Channel
from toolgate.sinks.delivery import Delivery


class Growing:
    """A ledger written by hand."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.ids: list[str] = []
        self.told: list[tuple[str, str]] = []
        self._tail = Tail(recover(folder), 20_000)

    @property
    def head(self) -> int:
        return self._tail.head.seq

    def add(self, count: int, **fields: object) -> None:
        """Records of finished tool calls."""
        for _ in range(count):
            number = len(self.ids)
            known: dict = {"event": "call", "method": "tools/call", "kind": "tool", "outcome": "ok"}
            known |= {"server": "bank", "target": "read_account", "agent": "closing", "tenant": "acme"}
            known |= {"total_us": 2500, "upstream_us": 1500, "request_bytes": 100, "response_bytes": 300}
            record = Record(
                new_id(), f"2026-11-25T10:{number // 60:02d}:{number % 60:02d}.000000Z", **{**known, **fields}
            )
            self._tail.write([encode(record)], durable=False)
            self.ids.append(record.id)

    def delivery(self, channel: Channel, *, beginning: bool = True) -> Delivery:
        """As a gateway that starts now makes it."""
        return self.delivery_of(channel.sink, channel.shape, beginning=beginning)

    def delivery_of(self, sink: Sink, shape: Shape, *, beginning: bool = True) -> Delivery:
        """The same, of the two parts."""

        async def tell(what: str, detail: str) -> None:
            self.told.append((what, detail))

        return Delivery(
            "siem",
            sink,
            shape,
            folder=self.folder,
            head=lambda: self.head,
            beginning=beginning,
            tell=tell,
        )

    def close(self) -> None:
        self._tail.close()


@asynccontextmanager
async def running(delivery: Delivery) -> AsyncIterator[Delivery]:
    """While the block lasts; then it is stopped, and must stop."""
    task = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        delivery.stop()
        await asyncio.wait_for(task, 60)


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, up to a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process's, or a file's.
            await asyncio.sleep(0.01)
