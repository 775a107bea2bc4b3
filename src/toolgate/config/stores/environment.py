"""`${env:NAME}`: variables of the gateway's environment."""

import os
import re
from pathlib import Path

from toolgate.config.stores.store import NotFound


class Environment:
    """Meets `Store`."""

    files: tuple[Path, ...] = ()

    def read(self, name: str) -> str:
        """See `Store.read`."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise NotFound("'${env:' is not followed by the name of a variable.")
        value = os.environ.get(name)
        if not value:
            raise NotFound(f"the environment variable {name} is {'not set' if value is None else 'empty'}.")
        return value
