import pytest

from toolgate.errors import Refusal
from toolgate.identity.claims import ClaimMap, read
from toolgate.model import Task


def test_the_first_claim_present_fills_the_field():
    names = ClaimMap(agent=("act.sub", "azp", "client_id"))
    assert read({"client_id": "c", "azp": "a"}, names).agent == "a"
    assert read({"client_id": "c", "act": {"sub": "deputy"}}, names).agent == "deputy"


def test_nothing_present_leaves_the_field_empty():
    named = read({}, ClaimMap())
    assert (named.agent, named.user, named.tenant, named.task) == (None, None, None, None)
    assert (named.roles, named.scopes, named.tags) == ((), (), ())


def test_a_path_leads_through_objects():
    claims = {"realm_access": {"roles": ["a", "b"]}}
    assert read(claims, ClaimMap(roles=("realm_access.roles",))).roles == ("a", "b")
    assert read({"realm_access": {}}, ClaimMap(roles=("realm_access.roles",))).roles == ()


def test_a_name_with_dots_is_found_as_it_stands():
    claims = {"https://example.com/roles": ["a"]}
    assert read(claims, ClaimMap(roles=("https://example.com/roles",))).roles == ("a",)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("a  b ", ("a", "b")), ("", ()), (["a", "b c"], ("a", "b c")), ("a\u00a0b\tc", ("a\u00a0b\tc",))],
)
def test_scopes_are_split_on_spaces_only_or_given_as_a_list(scope, scopes):
    """RFC 6749 section 3.3; a right must not appear because white space was read generously."""
    assert read({"scope": scope}, ClaimMap()).scopes == scopes


def test_one_role_may_be_a_string_and_is_never_split():
    assert read({"roles": "head of finance"}, ClaimMap()).roles == ("head of finance",)


def test_a_task_is_an_id_or_an_object():
    assert read({"task": "monthly-close"}, ClaimMap()).task == Task(id="monthly-close")
    task = {"id": "t", "name": "Close", "attributes": {"year": 2026}, "more": 1}
    assert read({"task": task}, ClaimMap()).task == Task(id="t", name="Close", attributes={"year": 2026})


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({"azp": 5}, ClaimMap()),
        ({"azp": ""}, ClaimMap()),
        ({"azp": None}, ClaimMap()),
        ({"sub": ["a"]}, ClaimMap()),
        ({"org": {"id": 1}}, ClaimMap(tenant=("org",))),
        ({"roles": ["a", 1]}, ClaimMap()),
        ({"roles": ["a", ""]}, ClaimMap()),
        ({"roles": {"a": True}}, ClaimMap()),
        ({"roles": None}, ClaimMap()),
        ({"scope": 7}, ClaimMap()),
        ({"scope": [["a"]]}, ClaimMap()),
        ({"label": False}, ClaimMap(tags=("label",))),
        ({"task": ""}, ClaimMap()),
        ({"task": ["t"]}, ClaimMap()),
        ({"task": {}}, ClaimMap()),
        ({"task": {"id": ""}}, ClaimMap()),
        ({"task": {"id": 5}}, ClaimMap()),
        ({"task": {"id": "t", "attributes": []}}, ClaimMap()),
        ({"realm_access": "x"}, ClaimMap(roles=("realm_access.roles",))),
    ],
)
def test_a_claim_of_the_wrong_type_refuses_the_token(claims, names):
    with pytest.raises(Refusal) as refused:
        read(claims, names)
    assert refused.value.status == 401
    assert refused.value.reason.startswith("claim ")


def test_a_wrong_type_is_not_stepped_over_for_the_next_name():
    with pytest.raises(Refusal):
        read({"azp": 1, "client_id": "c"}, ClaimMap())


def test_the_chain_of_delegation_is_read_from_the_outside_in():
    """RFC 8693, section 4.1."""
    act = {"sub": "last", "act": {"client_id": "middle", "act": {"sub": "first", "iss": "x"}}}
    assert read({"sub": "alice", "act": act}, ClaimMap()).actors == ("last", "middle", "first")
    assert read({"sub": "alice"}, ClaimMap()).actors == ()


@pytest.mark.parametrize("act", ["bot", {}, {"sub": ""}, {"sub": 5}, {"sub": "a", "act": "b"}, ["a"]])
def test_a_chain_that_cannot_be_read_is_refused(act):
    with pytest.raises(Refusal, match="claim act"):
        read({"act": act}, ClaimMap())


def test_a_chain_has_an_end():
    act = {"sub": "a"}
    for _ in range(16):
        act = {"sub": "a", "act": act}
    with pytest.raises(Refusal, match="claim act"):
        read({"act": act}, ClaimMap())
