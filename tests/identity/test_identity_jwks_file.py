import os

import pytest
from identity_support import AUDIENCE, ISSUER, Signer, bearer, key_set

from toolgate.errors import Refusal
from toolgate.identity.jwks import MAX_BYTES
from toolgate.identity.jwks_file import FileKeys
from toolgate.identity.jwt import Jwt
from toolgate.identity.signed_token import Issuer

OLD = Signer("ES256", "old")
NEW = Signer("ES256", "new")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(OLD.jwk()))
    return path


def replace(path, text: bytes) -> None:
    """As an operator should: whole or not at all, and with another time."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text)
    stamp = path.stat().st_mtime_ns + 1_000_000 if path.exists() else 1
    os.utime(fresh, ns=(stamp, stamp))
    fresh.replace(path)


async def test_a_key_is_found_in_the_file(path, clock):
    keys = FileKeys(path, clock)
    assert await keys.find("old", "ES256") is not None
    assert await keys.find("new", "ES256") is None
    await keys.aclose()


async def test_a_withdrawn_key_is_gone_within_a_second(path, clock):
    keys = FileKeys(path, clock)
    await keys.find("old", "ES256")
    replace(path, key_set(NEW.jwk()))
    assert await keys.find("old", "ES256") is not None
    clock.now += 1
    assert await keys.find("old", "ES256") is None


async def test_keys_rotate_without_a_lost_call(path, clock):
    """Calls with either key are served before, at and after the change; none waits for the second to pass."""
    identify = Jwt([Issuer(issuer=ISSUER, audiences=(AUDIENCE,), keys=FileKeys(path, clock))], clock).identify
    assert await identify(bearer(OLD.token())) is not None
    replace(path, key_set(OLD.jwk(), NEW.jwk()))
    for number in range(10):
        assert await identify(bearer(NEW.token({"jti": str(number)}))) is not None
        assert await identify(bearer(OLD.token({"jti": str(number)}))) is not None


@pytest.mark.parametrize("broken", [b'{"keys":[', b"", b" " * (MAX_BYTES + 1)], ids=["half", "empty", "huge"])
async def test_a_broken_file_leaves_the_keys_in_force(path, clock, broken):
    keys = FileKeys(path, clock)
    await keys.find("old", "ES256")
    replace(path, broken)
    clock.now += 5
    assert await keys.find("old", "ES256") is not None
    with pytest.raises(Refusal) as refused:
        await keys.find("new", "ES256")
    assert refused.value.status == 503
    replace(path, key_set(NEW.jwk()))
    assert await keys.find("new", "ES256") is not None
    assert await keys.find("other", "ES256") is None


async def test_a_missing_file_is_a_503_until_it_is_there(path, clock):
    path.unlink()
    keys = FileKeys(path, clock)
    with pytest.raises(Refusal) as refused:
        await keys.find("old", "ES256")
    assert (refused.value.status, refused.value.kind) == (503, "identity_unavailable")
    assert str(path.parent) not in refused.value.text
    replace(path, key_set(OLD.jwk()))
    assert await keys.find("old", "ES256") is not None


async def test_a_clock_set_back_does_not_hide_a_change(path, clock):
    keys = FileKeys(path, clock)
    await keys.find("old", "ES256")
    replace(path, key_set(NEW.jwk()))
    clock.now -= 3600
    assert await keys.find("old", "ES256") is None
