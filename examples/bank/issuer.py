"""A stand-in for the identity provider of a house: makes a key pair and signs tokens. For trials only.

python issuer.py key run                        writes run/issuer-key.json and run/jwks.json
python issuer.py token run --task monthly-close prints a token that is good for an hour
"""

import argparse
import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

ISSUER = "https://login.bank.example"
AUDIENCE = "https://tools.bank.example"


def new_key(folder: Path) -> ECKey:
    """A fresh ES256 key: private half for its owner only, public half as the JWKS the gateway reads."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ECKey.generate_key("P-256", auto_kid=True)
    private = folder / "issuer-key.json"
    private.unlink(missing_ok=True)
    private.touch(mode=0o600)
    private.write_text(json.dumps(key.as_dict(private=True)))
    (folder / "jwks.json").write_text(json.dumps(KeySet([key]).as_dict(private=False), indent=2) + "\n")
    return key


def sign(
    key: ECKey, *, task: str, agent: str = "closing-bot", user: str = "dana", seconds: int = 3600
) -> str:
    """An access token (RFC 9068) for `agent`, acting for `user` on `task`."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user,
        "azp": agent,
        "groups": ["finance-analyst"],
        "task": task,
        "iat": now,
        "exp": now + seconds,
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, claims, key)


def main() -> None:
    """The two commands of the first lines."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("what", choices=["key", "token"])
    wanted.add_argument("folder", type=Path)
    wanted.add_argument("--task", default="monthly-close")
    given = wanted.parse_args()
    if given.what == "key":
        new_key(given.folder)
        return
    key = ECKey.import_key(json.loads((given.folder / "issuer-key.json").read_text()))
    print(sign(key, task=given.task))


if __name__ == "__main__":
    main()
