"""The keys of `secrets:`: places that references may read from, besides the environment and files."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from toolgate.config.address import HttpUrl, is_safe_transport
from toolgate.config.schema_auth import Secret
from toolgate.config.section import Section, written, wrong
from toolgate.config.units import Seconds, between
from toolgate.config.values import AnyPath, ExistingFile, HeaderValue, Text


def _address(value: str) -> str:
    if not is_safe_transport(value):
        raise wrong("secrets would travel readable over plain http.", "Use https.")
    return value.rstrip("/")


class AppRole(Section):
    """A login with the auth method AppRole."""

    role_id: Secret
    """Its role id."""
    secret_id: Secret
    """Its secret id, as a reference."""
    path: Text = "approle"
    """Where the auth method is mounted."""


class KubernetesLogin(Section):
    """A login with the service account of the gateway's pod."""

    role: Text
    """The role in the vault."""
    path: Text = "kubernetes"
    """Where the auth method is mounted."""
    token_file: AnyPath = written("/var/run/secrets/kubernetes.io/serviceaccount/token")
    """The service account's token."""


class Vault(Section):
    """HashiCorp Vault or OpenBao, for `${vault:path#key}`."""

    address: Annotated[HttpUrl, AfterValidator(_address)]
    """Its URL."""
    mount: Text = "secret"
    """Where its key-value engine (version 2) is mounted."""
    namespace: Text | None = None
    """Its namespace."""
    ca: ExistingFile | None = None
    """PEM file of the authorities its certificate is checked with; left out, the system's."""
    token: HeaderValue | None = None
    """A token, as a reference: `${env:VAULT_TOKEN}`, `${file:/path}`."""
    approle: AppRole | None = None
    """Or a login with AppRole."""
    kubernetes: Annotated[KubernetesLogin | None, Field(validate_default=True)] = None
    """Or a login as a pod of Kubernetes."""

    @field_validator("kubernetes")
    @classmethod
    def _one_way_in(cls, kubernetes: Any, info: ValidationInfo) -> Any:
        ways = [kubernetes, *(info.data.get(name) for name in ("token", "approle"))]
        if {"token", "approle"} <= info.data.keys() and sum(way is not None for way in ways) != 1:
            raise wrong("a vault has one of 'token', 'approle' and 'kubernetes'.")
        return kubernetes


class Secrets(Section):
    """Places of secrets."""

    vault: Vault | None = None
    """HashiCorp Vault or OpenBao."""
    refresh: Annotated[Seconds, between("1s", "24h")] = written("5m")
    """How often a vault and a keyring are asked again; a changed secret is put into force without a restart."""
