"""OTLP over HTTP, in JSON: the spans of a batch in one request."""

import socket
from collections.abc import Mapping, Sequence

import msgspec

from toolgate import __version__
from toolgate.ports import Http, Message
from toolgate.sinks.posting import post


class OtlpTraces:
    """Meets `ports.Sink`, for messages made by `shapes.otlp.spans`."""

    def __init__(self, http: Http, url: str, headers: Mapping[str, str], service: str) -> None:
        """`url` is the collector's; `/v1/traces` is added."""
        self._http = http
        self._url = url.rstrip("/") + "/v1/traces"
        self._headers = {**headers, "content-type": "application/json"}
        resource = {
            "service.name": service,
            "service.version": __version__,
            "host.name": socket.gethostname(),
            "telemetry.sdk.name": "toolgate",
            "telemetry.sdk.language": "python",
        }
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
        scope = {"name": "toolgate", "version": __version__}
        self._opening = (
            b'{"resourceSpans":[{"resource":{"attributes":%b},"scopeSpans":[{"scope":%b,"spans":['
            % (
                msgspec.json.encode(attributes),
                msgspec.json.encode(scope),
            )
        )

    async def deliver(self, batch: Sequence[Message]) -> None:
        """See `ports.Sink`."""
        spans = b",".join(message.body for message in batch)
        await post(self._http, self._url, self._headers.items(), self._opening + spans + b"]}]}]}")

    async def aclose(self) -> None:
        """See `ports.Sink`."""
        await self._http.aclose()
