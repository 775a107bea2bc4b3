"""The rules and the credential of a governed run. Writes files Toolgate reads; starts nothing."""

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

_ISSUER, _AUDIENCE = "https://login.bench.example", "https://tools.bench.example/mcp"
_NAMES = 200
"""Tools that rules speak of: few of ten thousand rules are about one tool, as in life."""

IDENTITY = f"identity:\n  issuers:\n    - {{issuer: {_ISSUER}, audience: {_AUDIENCE}, jwks: jwks.json}}\n"


def write_credentials(folder: Path) -> str:
    """A key pair's public half as `jwks.json`; a token of the caller that may pay, good for a day."""
    key = ECKey.generate_key("P-256", {"kid": "bench", "use": "sig", "alg": "ES256"})
    (folder / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": "dana",
        "azp": "bot",
        "roles": ["payer"],
        "task": "close",
        "exp": int(time.time()) + 86_400,
    }
    return jwt.encode({"alg": "ES256", "kid": "bench"}, claims, key)


def rules(count: int, other: str = "allow") -> str:
    """A policy of `count` rules. One lets the caller pay, judged by the amount; `other` is what the caller may
    do with `tool_001`; the rest are other roles' rules about the same and other tools.
    """
    own = [
        '  - {id: pay, subjects: {roles: [payer]}, tasks: [close], tools: ["bank/transfer_funds"], '
        "when: args.amount <= 10000, effect: allow}",
        f'  - {{id: other, subjects: {{roles: [payer]}}, tools: ["bank/tool_001"], effect: {other}}}',
    ]
    rest = [_rule_of_others(number) for number in range(count - len(own))]
    return "version: 1\ndefault: deny\nrules:\n" + "\n".join(own + rest) + "\n"


def _rule_of_others(number: int) -> str:
    name = "transfer_funds" if number % _NAMES == 0 else f"tool_{number % _NAMES:03}"
    name = name[:-1] + "*" if number % 10 == 9 else name
    return (
        f"  - {{id: rule-{number}, subjects: {{roles: [role-{number // _NAMES}]}}, "
        f'tools: ["bank/{name}"], when: args.amount < {number}, effect: allow}}'
    )
