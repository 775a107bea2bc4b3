"""Signed batches to an HTTP receiver, as Standard Webhooks describe it: a JSON list of messages a POST."""

import base64
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from toolgate.ports import Clock, Http, Message
from toolgate.sinks.posting import post


class Webhook:
    """Meets `ports.Sink`. The id of a batch is the same at every try of the same messages."""

    def __init__(
        self, http: Http, url: str, headers: Mapping[str, str], secret: bytes | None, clock: Clock = time.time
    ) -> None:
        """With `secret`, each batch is signed with HMAC-SHA256."""
        self._http = http
        self._url = url
        self._headers = headers
        self._sign: Callable[[bytes], bytes] | None = None
        if secret is not None:
            self._sign = lambda data: hmac.digest(secret, data, "sha256")
        self._clock = clock

    async def deliver(self, batch: Sequence[Message]) -> None:
        """See `ports.Sink`."""
        body = b"[" + b",".join(message.body for message in batch) + b"]"
        number = sha256("".join(message.id for message in batch).encode()).hexdigest()[:32]
        moment = str(int(self._clock()))
        headers = {
            **self._headers,
            "content-type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": moment,
        }
        if self._sign:
            signature = self._sign(f"{number}.{moment}.".encode() + body)
            headers["webhook-signature"] = f"v1,{base64.b64encode(signature).decode()}"
        await post(self._http, self._url, headers.items(), body)

    async def aclose(self) -> None:
        """See `ports.Sink`."""
        await self._http.aclose()
