import pytest

from toolgate.config.load import load
from toolgate.errors import ConfigError

SERVERS = 'servers: {bank: {url: "http://localhost:9000/mcp"}}\nidentity: {anonymous: loopback}\n'


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        path = tmp_path / "gateway.yaml"
        path.write_text(SERVERS + text)
        return load(path).value.sinks

    return read


def test_every_kind_is_read(read, tmp_path):
    sinks = read(
        """
sinks:
  out: {type: stdout}
  log: {type: file, path: out/records.jsonl, form: cef, max_size: 1MiB, keep: 0}
  siem: {type: webhook, url: "https://siem.example.com/hook", form: ocsf, secret: whsec_c2VjcmV0, headers: {x-key: k}}
  otel: {type: otlp, url: "http://127.0.0.1:4318", sample: 0.1}
  old: {type: syslog, address: "logs.example.com:6514"}
  billing: {type: kafka, brokers: ["kafka:9092"], options: {security.protocol: SSL}}
"""
    )
    assert [sink.type for sink in sinks.values()] == ["stdout", "file", "webhook", "otlp", "syslog", "kafka"]
    assert sinks["log"].path == tmp_path / "out/records.jsonl"
    assert sinks["siem"].secret.get_secret_value() == b"secret"
    assert sinks["old"].address.port == 6514
    assert (sinks["billing"].topic, sinks["otel"].begin) == ("stoa.metering", "now")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{type: webhoook, url: x}", "sinks.siem"),
        ("{type: webhook}", "sinks.siem.url"),
        ("{type: webhook, url: 'http://siem.example.com/'}", "records leave this machine over https only"),
        ("{type: otlp, url: 'http://otel:4318'}", "over https only"),
        ("{type: otlp, url: 'https://otel:4318', sample: 2}", "sinks.siem.sample"),
        ("{type: syslog, address: 'logs:514', tls: false}", "over TLS only"),
        ("{type: syslog, address: 'logs'}", "expected host:port"),
        ("{type: webhook, url: 'https://x/', secret: whsec_%%}", "a secret is base64"),
        ("{type: file, path: x, from: now}", "sinks.siem.from: unknown key"),
        ("{type: kafka, brokers: []}", "sinks.siem.brokers"),
    ],
)
def test_a_mistake_is_named(read, text, fault):
    with pytest.raises(ConfigError, match=fault.replace(".", r"\.")):
        read(f"sinks: {{siem: {text}}}\n")
