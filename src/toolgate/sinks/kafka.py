"""Metering events to Kafka: idempotent, acknowledged by all replicas, one delivery of a batch at a time."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Report

from toolgate.ports import Message, Undelivered

_POLL_SECONDS = 0.05
_SECONDS = 20.0
"""After which librdkafka gives a message up, and the batch is delivered again."""
_REFUSED = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})


class Kafka:
    """Meets `ports.Sink`. The key of a message is its id: the same record goes to the same partition."""

    def __init__(self, brokers: Sequence[str], topic: str, options: Mapping[str, str | int | bool]) -> None:
        self._topic = topic
        self._settings: dict[str, str | int | bool] = {
            "bootstrap.servers": ",".join(brokers),
            "client.id": "toolgate",
            "compression.type": "lz4",
            "linger.ms": 5,
            "delivery.timeout.ms": int(_SECONDS * 1000),
            **options,
            # What is promised does not depend on options.
            "enable.idempotence": True,
            "acks": "all",
        }
        self._producer: Producer | None = None

    async def deliver(self, batch: Sequence[Message]) -> None:
        """See `ports.Sink`."""
        problem = await asyncio.to_thread(self._deliver, batch)
        if problem is not None:
            # What idempotence promises ends with a message given up: a fresh producer starts a fresh sequence.
            await self.aclose()
            raise Undelivered(f"Kafka: {problem.str()}", refused=problem.code() in _REFUSED)

    async def aclose(self) -> None:
        """See `ports.Sink`."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaException):
                await asyncio.to_thread(_let_go, producer)

    def _deliver(self, batch: Sequence[Message]) -> KafkaError | None:
        """None once every message is acknowledged; else what became of the first that was not."""
        if self._producer is None:
            self._producer = Producer(self._settings, logger=None)
        problems: list[KafkaError] = []
        waiting = 0

        def told(error: KafkaError | None, _: Report) -> None:
            nonlocal waiting
            waiting -= 1
            if error is not None:
                problems.append(error)

        for message in batch:
            try:
                self._producer.produce(self._topic, message.body, key=message.id, on_delivery=told)
            except KafkaException as refused:
                problems.append(refused.args[0])
                break
            waiting += 1
        while waiting:
            self._producer.poll(_POLL_SECONDS)
        return problems[0] if problems else None


def _let_go(producer: Producer) -> None:
    producer.purge()
    producer.flush(1.0)
