"""Opens one delivery for each sink of the config, runs them, and stops them together."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from toolgate.config.load import Loaded
from toolgate.config.schema import GatewayConfig
from toolgate.config.schema_sinks import OtlpSink
from toolgate.errors import ConfigError
from toolgate.sinks.channels import NewHttp
from toolgate.sinks.delivery import Delivery, Tell
from toolgate.wiring import SINKS, load

_log = logging.getLogger("toolgate.sinks")


def open_deliveries(
    loaded: Loaded[GatewayConfig], head: Callable[[], int], http: NewHttp, tell: Tell
) -> list[Delivery]:
    """One a sink, in the order of the config. The ledger must be claimed. Raises `ConfigError`."""
    problems, deliveries = [], []
    for name, config in loaded.value.sinks.items():
        try:
            channel = load(SINKS[config.type])(config, http)
            deliveries.append(
                Delivery(
                    name,
                    channel.sink,
                    channel.shape,
                    folder=Path(loaded.value.ledger.path),
                    head=head,
                    beginning=config.begin == "beginning",
                    tell=tell,
                )
            )
        except ImportError:
            remedy = f"Install it: pip install 'toolgate[{config.type}]'."
            text = f"sinks of type '{config.type}' need a library that is not installed."
            problems.append(loaded.problem(("sinks", name, "type"), text, remedy))
        except (OSError, ValueError) as error:
            problems.append(loaded.problem(("sinks", name), f"cannot be used: {error}"))
    if problems:
        raise ConfigError(problems)
    return deliveries


def traced_share(config: GatewayConfig) -> float | None:
    """Of the calls whose caller has not decided it, how many are traced; None where nothing takes traces."""
    return max((sink.sample for sink in config.sinks.values() if isinstance(sink, OtlpSink)), default=None)


class Deliveries:
    """Those of a running gateway."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.all = deliveries
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Run them all."""
        for delivery in self.all:
            task = asyncio.create_task(delivery.run(), name=f"sink {delivery.name}")
            task.add_done_callback(_tell_bug)
            self._tasks.append(task)

    async def aclose(self) -> None:
        """Let each deliver the rest, for a few seconds."""
        for delivery in self.all:
            delivery.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _tell_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("%s stands still", task.get_name(), exc_info=task.exception())
