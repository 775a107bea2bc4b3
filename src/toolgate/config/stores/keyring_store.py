"""`${keyring:service/user}`: the keyring of the operating system, by the library of that name (an extra)."""

from pathlib import Path

from toolgate.config.stores.store import MAX_SECRET_BYTES, NotFound, text_of


class Keyring:
    """Meets `Store`."""

    files: tuple[Path, ...] = ()

    def read(self, name: str) -> str:
        """See `Store.read`."""
        service, slash, user = name.rpartition("/")
        if not (service and slash and user):
            raise NotFound("'${keyring:' is not followed by service/user.")
        try:
            import keyring
            from keyring.errors import KeyringError
        except ImportError:
            raise NotFound(
                "the library for keyrings is not installed.", "Install it: pip install 'toolgate[keyring]'."
            ) from None
        try:
            secret = keyring.get_password(service, user)
        except KeyringError as error:
            raise NotFound(f"the keyring cannot be asked: {type(error).__name__}.") from None
        if secret is None:
            raise NotFound(f"the keyring has no password of {user!a} for {service!a}.")
        return text_of(secret.encode()[: MAX_SECRET_BYTES + 1], "the keyring's entry")
