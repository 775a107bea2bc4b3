"""The places of secrets that a config may refer to. A vault is one of its own keys, so that is read first."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolgate.config import schema_secrets
from toolgate.config.document import Document
from toolgate.config.references import References
from toolgate.config.stores.environment import Environment
from toolgate.config.stores.files import Files, SystemdCredentials
from toolgate.config.stores.keyring_store import Keyring
from toolgate.config.stores.store import NotFound, Store
from toolgate.config.stores.vault import Vault, VaultAccess


class _NoVault:
    files: tuple[Path, ...] = ()

    def read(self, name: str) -> str:
        remedy = "Set one up with 'secrets: {vault: {address: …, token: …}}'."
        raise NotFound("there is no vault to read it from.", remedy)


@contextmanager
def stores(document: Document, raw: Any, folder: Path) -> Iterator[Mapping[str, Store]]:
    """The places by the word that names them in a reference, for one reading of `raw`."""
    near: dict[str, Store] = {
        "env": Environment(),
        "file": Files(folder),
        "keyring": Keyring(),
        "systemd": SystemdCredentials(),
    }
    section = raw.get("secrets") if isinstance(raw, dict) else None
    access = _vault(document, section, near, folder) if isinstance(section, dict) else None
    if access is None:
        yield {**near, "vault": _NoVault()}
        return
    vault = Vault(access)
    try:
        yield {**near, "vault": vault}
    finally:
        vault.close()


def _vault(
    document: Document, section: dict[str, Any], near: Mapping[str, Store], folder: Path
) -> VaultAccess | None:
    # What is wrong with the section is said when the whole file is read.
    data = References(document, near).resolve(section, ("secrets",))
    try:
        vault = schema_secrets.Secrets.model_validate(data, context={"folder": folder}).vault
    except ValidationError:
        return None
    return None if vault is None else _access(vault, near["file"])


def _access(vault: schema_secrets.Vault, files: Store) -> VaultAccess | None:
    login = None
    try:
        if vault.approle is not None:
            role, secret = vault.approle.role_id, vault.approle.secret_id
            body = {"role_id": role.get_secret_value(), "secret_id": secret.get_secret_value()}
            login = vault.approle.path, body
        elif vault.kubernetes is not None:
            token = files.read(str(vault.kubernetes.token_file))
            login = vault.kubernetes.path, {"role": vault.kubernetes.role, "jwt": token}
    except NotFound:
        return None
    return VaultAccess(
        address=vault.address,
        mount=vault.mount,
        namespace=vault.namespace,
        ca=vault.ca,
        token=None if vault.token is None else vault.token.get_secret_value(),
        login=login,
    )
