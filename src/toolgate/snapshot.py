"""The frozen result of compiling a config: what one call sees from start to end."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from toolgate.model import Call, Principal
from toolgate.pool import Lease
from toolgate.ports import Decide
from toolgate.routing.table import Door, Route, resolve


class Snapshot(Struct, frozen=True, eq=False):
    """One frozen world. A reload swaps the reference; calls in flight keep theirs."""

    version: str
    """Content hash of the config and all it names."""
    identify: Callable[[Call], Awaitable[Principal]]
    """Raises `Refusal` (401) for a call without an accepted credential."""
    policy: Decide
    doors: Mapping[str, Door]
    """By name: `""` is the shared door of all servers, the others are single servers."""
    lease: Lease
    """Who still needs this world; upstreams it names are stopped only when nobody does."""

    def door(self, call: Call) -> Door:
        """Where the call came in."""
        return self.doors[call.door]

    def resolve(self, call: Call) -> Route:
        """What the call is aimed at. Raises `Refusal` where there is no such thing."""
        return resolve(self.doors[call.door], call)
