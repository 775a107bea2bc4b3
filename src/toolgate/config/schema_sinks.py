"""The keys of `sinks:`. Knows what a sink is told, not how it delivers."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PlainValidator,
    SecretBytes,
    Tag,
    ValidationInfo,
    field_validator,
)

from toolgate.config.address import HostPort, HttpUrl, host_port, is_safe_transport
from toolgate.config.section import Section, written, wrong
from toolgate.config.units import Bytes, between
from toolgate.config.values import AnyPath, ExistingFile, Flag, HeaderName, HeaderValue, Text

Form = Literal["record", "ocsf", "ecs"]


def _signing_secret(value: object) -> SecretBytes:
    """As Standard Webhooks writes it: `whsec_` and base64, or any text."""
    if not isinstance(value, str) or not value:
        raise wrong("expected a text.")
    if not value.startswith("whsec_"):
        return SecretBytes(value.encode())
    try:
        return SecretBytes(base64.b64decode(value.removeprefix("whsec_"), validate=True))
    except binascii.Error:
        raise wrong("behind 'whsec_', a secret is base64.") from None


def _safe_url(value: str) -> str:
    if not is_safe_transport(value):
        raise wrong(
            "records leave this machine over https only.", "Use https, or a receiver on this machine."
        )
    return value


SafeUrl = Annotated[HttpUrl, AfterValidator(_safe_url)]


class _Common(Section):
    begin: Literal["now", "beginning"] = "now"
    """Where a sink that never ran starts: with what is recorded from now on, or with the ledger's first record."""


class StdoutSink(_Common):
    """Lines on standard output."""

    type: Literal["stdout"]
    """What kind of sink this is."""
    form: Literal["record", "ocsf", "ecs", "cef"] = "record"
    """What a line says: the record itself, or a document of OCSF, ECS or CEF."""


class FileSink(_Common):
    """Lines in a file."""

    type: Literal["file"]
    """What kind of sink this is."""
    path: AnyPath
    """The file; it is made if it is not there."""
    form: Literal["record", "ocsf", "ecs", "cef"] = "record"
    """What a line says: the record itself, or a document of OCSF, ECS or CEF."""
    max_size: Annotated[Bytes, between("64KiB", "64GiB")] = written("100MiB")
    """Size at which the file gives way to a fresh one."""
    keep: Annotated[int, Field(strict=True, ge=0, le=1000)] = 5
    """Former files that stay, `.1` the youngest."""


class _Receiver(_Common):
    url: SafeUrl = Field(repr=False)
    """Where batches are sent."""
    headers: Mapping[HeaderName, HeaderValue] = written({})
    """Headers sent with every request, such as a token."""


class WebhookSink(_Receiver):
    """Batches to an HTTP receiver, as Standard Webhooks describes them: a JSON list a request."""

    type: Literal["webhook"]
    """What kind of sink this is."""
    form: Form = "record"
    """What the list holds."""
    secret: Annotated[SecretBytes, PlainValidator(_signing_secret, json_schema_input_type=str)] | None = None
    """Signs each batch (HMAC-SHA256); left out, batches are not signed."""


class OtlpSink(_Receiver):
    """Traces to an OpenTelemetry collector over HTTP. Calls are then part of their callers' traces, and
    upstreams of theirs."""

    type: Literal["otlp"]
    """What kind of sink this is."""
    sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the calls that is traced, of those whose caller has not decided it."""
    service: Text = "toolgate"
    """The `service.name` of the gateway."""


class SyslogSink(_Common):
    """RFC 5424 messages over TLS."""

    type: Literal["syslog"]
    """What kind of sink this is."""
    address: Annotated[HostPort, PlainValidator(host_port, json_schema_input_type=str)]
    """Host and port of the receiver; port 6514 is the usual one."""
    form: Literal["record", "ocsf", "ecs", "cef"] = "cef"
    """What the text of a message says."""
    tls: Flag = True
    """False: plain TCP, to a receiver on this machine only."""
    ca: ExistingFile | None = None
    """PEM file of the authorities that sign the receiver's certificate; left out, the system's."""

    @field_validator("tls")
    @classmethod
    def _plain_on_this_machine(cls, tls: bool, info: ValidationInfo) -> bool:
        address: HostPort | None = info.data.get("address")
        if not tls and address is not None and not address.loopback:
            raise wrong("records leave this machine over TLS only.")
        return tls


class KafkaSink(_Common):
    """One metering event a tool call, with STOA's field names. Needs the extra `kafka`."""

    type: Literal["kafka"]
    """What kind of sink this is."""
    brokers: Annotated[tuple[Text, ...], Field(min_length=1)]
    """`host:port` of some of the brokers."""
    topic: Text = "stoa.metering"
    """The topic; it is not made here."""
    options: Mapping[Text, str | int | bool] = written({}, repr=False)
    """Further options of librdkafka, such as `security.protocol` or `sasl.password`."""


_KINDS = {"stdout", "file", "webhook", "otlp", "syslog", "kafka"}


def _kind(value: object) -> str | None:
    """The tag of the form that is meant; None where it cannot be told."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"<{kind}>" if isinstance(kind, str) and kind in _KINDS else None


# Tags are seen in the paths of errors; no key is written like these, so they can be told apart there.
Sink = Annotated[
    Annotated[StdoutSink, Tag("<stdout>")]
    | Annotated[FileSink, Tag("<file>")]
    | Annotated[WebhookSink, Tag("<webhook>")]
    | Annotated[OtlpSink, Tag("<otlp>")]
    | Annotated[SyslogSink, Tag("<syslog>")]
    | Annotated[KafkaSink, Tag("<kafka>")],
    Discriminator(
        _kind,
        custom_error_type="wrong",
        custom_error_message="a sink has a 'type': stdout, file, webhook, otlp, syslog or kafka.",
        custom_error_context={"remedy": "For example: {type: file, path: ./records.jsonl}."},
    ),
]
