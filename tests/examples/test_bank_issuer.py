"""The example's stand-in for an identity provider, read by a library it was not built with."""

import json
import subprocess
import sys
from pathlib import Path

import jwt
import pytest


def issuer(bank_folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(bank_folder / "issuer.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=15).stdout.strip()


def verified(token: str, folder: Path) -> dict[str, object]:
    [key] = jwt.PyJWKSet.from_dict(json.loads((folder / "jwks.json").read_text())).keys
    return jwt.decode(token, key, algorithms=["ES256"], audience="https://tools.bank.example")


def test_a_token_verifies_against_the_key_set_and_names_agent_user_and_task(
    bank_folder: Path, tmp_path: Path
) -> None:
    issuer(bank_folder, "key", str(tmp_path))
    claims = verified(issuer(bank_folder, "token", str(tmp_path), "--task", "customer-support"), tmp_path)
    assert (claims["azp"], claims["sub"], claims["task"]) == ("closing-bot", "dana", "customer-support")


def test_a_new_key_ends_the_old_tokens(bank_folder: Path, tmp_path: Path) -> None:
    issuer(bank_folder, "key", str(tmp_path))
    old = issuer(bank_folder, "token", str(tmp_path))
    issuer(bank_folder, "key", str(tmp_path))
    with pytest.raises(jwt.InvalidSignatureError):
        verified(old, tmp_path)


def test_the_private_key_is_readable_by_its_owner_alone_and_not_in_the_key_set(
    bank_folder: Path, tmp_path: Path
) -> None:
    issuer(bank_folder, "key", str(tmp_path))
    assert (tmp_path / "issuer-key.json").stat().st_mode & 0o077 == 0
    assert '"d"' not in (tmp_path / "jwks.json").read_text()
