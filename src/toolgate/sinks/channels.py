"""From the config of a sink to what delivers: the sink and the shape of its messages. Opens no connection."""

import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import SecretStr

from toolgate.config.schema_sinks import FileSink, KafkaSink, OtlpSink, StdoutSink, SyslogSink, WebhookSink
from toolgate.ports import Http, Shape, Sink
from toolgate.wiring import SHAPES, load


class Channel(NamedTuple):
    """Where to, and how it is said there."""

    sink: Sink
    shape: Shape


NewHttp = Callable[[], Http]
"""A client for one sink alone, so that a slow receiver holds up no other."""


def stdout(config: StdoutSink, _: NewHttp) -> Channel:
    """Lines on standard output."""
    from toolgate.sinks.lines import Lines, standard_output

    return Channel(Lines(standard_output, lambda: None), load(SHAPES[config.form]))


def file(config: FileSink, _: NewHttp) -> Channel:
    """Lines in files that follow one another."""
    from toolgate.sinks.lines import Files, Lines

    files = Files(config.path, config.max_size, config.keep)
    return Channel(Lines(files.write, files.close), load(SHAPES[config.form]))


def webhook(config: WebhookSink, http: NewHttp) -> Channel:
    """Signed batches over HTTP."""
    from toolgate.sinks.webhook import Webhook

    secret = config.secret.get_secret_value() if config.secret else None
    return Channel(Webhook(http(), config.url, _plain(config.headers), secret), load(SHAPES[config.form]))


def otlp(config: OtlpSink, http: NewHttp) -> Channel:
    """Traces over HTTP."""
    from toolgate.sinks.otlp import OtlpTraces
    from toolgate.sinks.shapes.otlp import spans

    sink = OtlpTraces(http(), config.url, _plain(config.headers), config.service)
    return Channel(sink, spans(config.sample))


def syslog(config: SyslogSink, _: NewHttp) -> Channel:
    """RFC 5424 over TLS. Raises `OSError` for authorities that cannot be read."""
    from toolgate.sinks.syslog import Syslog, framed

    tls = ssl.create_default_context(cafile=config.ca) if config.tls else None
    return Channel(Syslog(*config.address, tls), framed(load(SHAPES[config.form])))


def kafka(config: KafkaSink, _: NewHttp) -> Channel:
    """Metering events. Raises `ImportError` where the extra is not installed."""
    from toolgate.sinks.kafka import Kafka
    from toolgate.sinks.shapes.metering import shape

    return Channel(Kafka(config.brokers, config.topic, dict(config.options)), shape)


def _plain(headers: Mapping[str, SecretStr]) -> dict[str, Any]:
    return {name: value.get_secret_value() for name, value in headers.items()}
