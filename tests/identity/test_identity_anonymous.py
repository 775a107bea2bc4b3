import pytest
from identity_support import call

from toolgate.identity.anonymous import Anonymous


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.8.9.10", "::ffff:127.0.0.1"])
async def test_a_caller_on_this_machine_is_let_in(address):
    principal = await Anonymous().identify(call(client_ip=address))
    assert principal is not None
    assert principal.method == "anonymous"


@pytest.mark.parametrize(
    "address", ["", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "localhost", "127.0.0.1.evil"]
)
async def test_a_caller_from_elsewhere_is_not_anonymous(address):
    assert await Anonymous().identify(call(client_ip=address)) is None


@pytest.mark.parametrize("credential", [{"authorization": "Bearer wrong"}, {"api_key": "wrong"}])
async def test_a_credential_nobody_accepts_does_not_become_anonymous(credential):
    assert await Anonymous().identify(call(client_ip="127.0.0.1", **credential)) is None


async def test_it_is_always_the_same_object():
    """Policy remembers per object."""
    anonymous = Anonymous()
    one = await anonymous.identify(call(client_ip="127.0.0.1"))
    assert await anonymous.identify(call(client_ip="::1")) is one
