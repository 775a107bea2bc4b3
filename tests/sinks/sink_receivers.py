"""What sinks deliver to, for the contract: each can go away and come back, and says which records it has."""

import base64
import contextlib
import hmac
import json
import re
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import trustme
from confluent_kafka import Consumer, Producer, TopicPartition

from toolgate.config.schema_sinks import FileSink, KafkaSink, OtlpSink, SyslogSink, WebhookSink
from toolgate.sinks import channels
from toolgate.sinks.channels import Channel
from toolgate.upstreams.http_client import HttpClient

SECRET = b"a secret of the receiver"


class Receiver(Protocol):
    """A receiver of one kind, and what delivers to it."""

    def channel(self) -> Channel:
        """A fresh sink for it."""
        ...

    def leave(self) -> None:
        """Nobody answers any more."""
        ...

    def come_back(self) -> None:
        """Under the same address, with what it had."""
        ...

    def ids(self) -> list[str]:
        """The records it has, in the order they came."""
        ...

    def close(self) -> None:
        """The end."""
        ...


class OwnFile:
    """Lines in a file; away while its folder is no folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "out"
        self.folder.mkdir()
        self.path = self.folder / "records.jsonl"

    def channel(self) -> Channel:
        return channels.file(FileSink(type="file", path=str(self.path), max_size="64MiB"), HttpClient)

    def leave(self) -> None:
        self.folder.rename(self.folder.with_name("away"))
        self.folder.write_text("in the way")

    def come_back(self) -> None:
        self.folder.unlink()
        self.folder.with_name("away").rename(self.folder)

    def ids(self) -> list[str]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [json.loads(line)["id"] for line in lines]

    def close(self) -> None:
        """Nothing to do."""


class OverHttp:
    """A server that keeps each body it acknowledged."""

    def __init__(self, _: Path) -> None:
        self.bodies: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        """Answers to give first, instead of 200."""
        self.port = 0
        self.come_back()

    def leave(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def come_back(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.leave()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                if status == 200:
                    headers = {key.lower(): value for key, value in self.headers.items()}
                    receiver.bodies.append(({"path": self.path, **headers}, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


class HttpWebhook(OverHttp):
    """Checks the signature as Standard Webhooks says."""

    def channel(self) -> Channel:
        config = WebhookSink(
            type="webhook",
            url=f"http://127.0.0.1:{self.port}/hook",
            secret="whsec_" + base64.b64encode(SECRET).decode(),
            headers={"authorization": "Bearer token"},
        )
        return channels.webhook(config, HttpClient)

    def ids(self) -> list[str]:
        found = []
        for headers, body in self.bodies:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            signature = base64.b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
            assert headers["webhook-signature"] == f"v1,{signature}"
            assert headers["authorization"] == "Bearer token"
            found += [record["id"] for record in json.loads(body)]
        return found


class HttpOtlp(OverHttp):
    """Reads the spans of OTLP's JSON."""

    def channel(self) -> Channel:
        return channels.otlp(OtlpSink(type="otlp", url=f"http://127.0.0.1:{self.port}"), HttpClient)

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for headers, body in self.bodies
            if headers["path"] == "/v1/traces"
            for resource in json.loads(body)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def ids(self) -> list[str]:
        values = [{one["key"]: one["value"] for one in span["attributes"]} for span in self.spans()]
        return [one["toolgate.record.id"]["stringValue"] for one in values if "toolgate.record.id" in one]


class TlsSyslog:
    """Reads RFC 5425 frames over TLS."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.ca = folder / "ca.pem"
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self.tls)
        self.messages: list[bytes] = []
        self.port = 0
        self.come_back()

    def channel(self) -> Channel:
        config = SyslogSink(type="syslog", address=f"127.0.0.1:{self.port}", ca=str(self.ca), form="record")
        return channels.syslog(config, HttpClient)

    def come_back(self) -> None:
        self.connections: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def leave(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.leave()

    def ids(self) -> list[str]:
        pattern = rb"<1(09|10|08|07)>1 \S+ \S+ toolgate \d+ (call|end|gateway) - (\{.*\})"
        bodies = [re.fullmatch(pattern, message) for message in self.messages]
        assert all(bodies), self.messages
        return [json.loads(body[3])["id"] for body in bodies if body]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
                wrapped = self.tls.wrap_socket(connection, server_side=True)
            except OSError:
                return
            self.connections.append(wrapped)
            threading.Thread(target=self._read, args=(wrapped,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            try:
                while length := _until_space(file):
                    self.messages.append(file.read(int(length)))
            except (OSError, ValueError):
                return


def _until_space(file: Any) -> bytes:
    length = b""
    while (byte := file.read(1)) not in (b" ", b""):
        length += byte
    return length


class MockKafka:
    """librdkafka's mock broker: the protocol is real, the broker is not."""

    def __init__(self, _: Path) -> None:
        self.mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
        broker = next(iter(self.mock.list_topics(timeout=10).brokers.values()))
        self.address = f"{broker.host}:{broker.port}"

    def channel(self) -> Channel:
        return channels.kafka(KafkaSink(type="kafka", brokers=[self.address]), HttpClient)

    def leave(self) -> None:
        raise NotImplementedError

    def come_back(self) -> None:
        raise NotImplementedError

    def ids(self) -> list[str]:
        return metered(self.address)

    def close(self) -> None:
        """Goes with the process."""


def metered(address: str) -> list[str]:
    """The metered records, in the order they were recorded: a topic has partitions, and order holds within one."""
    events = consumed(address, "stoa.metering")
    return [number for _, number in sorted((event["timestamp"], event["event_id"]) for event in events)]


def consumed(address: str, topic: str) -> list[dict[str, Any]]:
    """Every event of a topic."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "reader", "enable.auto.commit": False})
    known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    places = [TopicPartition(topic, number, 0) for number in known]
    left = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    consumer.assign(places)
    events = []
    while len(events) < left:
        message = consumer.poll(20.0)
        assert message is not None, f"{len(events)} of {left} events came"
        assert message.error() is None
        events.append(json.loads(message.value()))
    consumer.close()
    return events


RECEIVERS = {
    "file": OwnFile,
    "webhook": HttpWebhook,
    "otlp": HttpOtlp,
    "syslog": TlsSyslog,
}
