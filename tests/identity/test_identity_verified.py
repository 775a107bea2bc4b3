from identity_support import NOW

from toolgate.identity.verified import Verified
from toolgate.model import Principal

ALICE = Principal(id="a", method="jwt")
BOB = Principal(id="b", method="jwt")


def test_a_principal_is_current_until_its_time():
    verified = Verified(10)
    verified.keep(b"1", ALICE, NOW + 1)
    assert verified.current(b"1", NOW) is ALICE
    assert verified.current(b"1", NOW + 1) is None
    assert verified.former(b"1") is ALICE


def test_the_unknown_is_neither_current_nor_former():
    assert Verified(10).current(b"1", NOW) is None
    assert Verified(10).former(b"1") is None


def test_the_one_not_used_for_longest_goes_first():
    verified = Verified(2)
    verified.keep(b"1", ALICE, NOW + 9)
    verified.keep(b"2", BOB, NOW + 9)
    verified.current(b"1", NOW)
    verified.keep(b"3", BOB, NOW + 9)
    assert verified.former(b"2") is None
    assert verified.former(b"1") is ALICE
