"""An Apache Kafka broker and an OpenTelemetry collector as their users have them, started for the contract."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic
from sink_receivers import HttpOtlp, metered

from toolgate.config.schema_sinks import KafkaSink, OtlpSink
from toolgate.sinks import channels
from toolgate.sinks.channels import Channel
from toolgate.upstreams.http_client import HttpClient

TOOLS = Path(os.environ.get("TOOLGATE_TOOLS", ".tools")).absolute()
_SECONDS = 90


class Process:
    """One program, killed and started again; ready when it listens."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        self._command = command
        self._folder = folder
        self._port = port
        self.come_back()

    def come_back(self) -> None:
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output, cwd=self._folder)
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self._folder / "output").read_text()[-3000:])

    def leave(self) -> None:
        self._process.kill()
        self._process.wait(_SECONDS)


class RealKafka:
    """One node of Apache Kafka."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kafka"
        self.folder.mkdir()
        self.port, controller = free_port(), free_port()
        config = self.folder / "server.properties"
        config.write_text(
            f"""
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={self.folder}/data
offsets.topic.replication.factor=1
auto.create.topics.enable=false
"""
        )
        java = ["java", "-Xmx384m", "-cp", f"{TOOLS}/kafka/*"]
        made = subprocess.run(
            [*java, "kafka.tools.StorageTool", "random-uuid"], capture_output=True, text=True, check=True
        )
        cluster = made.stdout.split()[-1]
        format_ = ["format", "--standalone", "-t", cluster, "-c", str(config)]
        subprocess.run([*java, "kafka.tools.StorageTool", *format_], capture_output=True, check=True)
        self._process = Process([*java, "kafka.Kafka", str(config)], self.folder, self.port)
        self.address = f"127.0.0.1:{self.port}"
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic("stoa.metering", 3, 1)])["stoa.metering"].result(_SECONDS)

    def channel(self) -> Channel:
        options = {"delivery.timeout.ms": 2000, "socket.timeout.ms": 1000}
        return channels.kafka(KafkaSink(type="kafka", brokers=[self.address], options=options), HttpClient)

    def leave(self) -> None:
        self._process.leave()

    def come_back(self) -> None:
        self._process.come_back()

    def ids(self) -> list[str]:
        return metered(self.address)

    def close(self) -> None:
        self._process.leave()
        shutil.rmtree(self.folder)


class RealCollector:
    """An OpenTelemetry collector that writes what it takes to a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "collector"
        self.folder.mkdir()
        self.port = free_port()
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "exporters": {"file": {"path": str(self.folder / "spans.json"), "append": True}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            },
        }
        (self.folder / "config.json").write_text(json.dumps(config))
        command = [f"{TOOLS}/otelcol/otelcol", "--config", str(self.folder / "config.json")]
        self._process = Process(command, self.folder, self.port)

    def channel(self) -> Channel:
        return channels.otlp(OtlpSink(type="otlp", url=f"http://127.0.0.1:{self.port}"), HttpClient)

    def leave(self) -> None:
        self._process.leave()

    def come_back(self) -> None:
        self._process.come_back()

    def ids(self) -> list[str]:
        written = HttpOtlp.__new__(HttpOtlp)
        written.bodies = [({"path": "/v1/traces"}, text) for text in self._documents()]
        return written.ids()

    def _documents(self) -> Iterator[bytes]:
        """One a line, except where the collector was killed before it wrote the line's end."""
        text, at, decoder = (self.folder / "spans.json").read_text().strip(), 0, json.JSONDecoder()
        while at < len(text):
            _, end = decoder.raw_decode(text, at)
            yield text[at:end].encode()
            at = end + (len(text[end:]) - len(text[end:].lstrip()))

    def close(self) -> None:
        self._process.leave()


REAL = {"kafka": RealKafka, "collector": RealCollector}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
