"""The index against asking every rule."""

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_support import policy_of

from toolgate.model import Kind, Principal, Target, Task
from toolgate.policy.index import Index
from toolgate.policy.rules import held_by

names = st.sampled_from(["a", "b", "c"])
some = st.lists(names, min_size=1, max_size=2)
subjects = st.dictionaries(
    st.sampled_from(["agents", "users", "roles", "tenants", "scopes", "tags"]), some, min_size=1, max_size=3
)
patterns = st.lists(
    st.sampled_from(["*", "a/*", "*/a", "a/a", "a/a*", "*a/b", "b/*a*", "b/a", "*/*b"]),
    min_size=1,
    max_size=3,
)
written = st.fixed_dictionaries(
    {"effect": st.just("allow")},
    optional={
        "subjects": subjects,
        "tasks": some,
        "tools": patterns,
        "resources": patterns,
        "prompts": patterns,
    },
).filter(lambda rule: {"tools", "resources", "prompts"} & rule.keys())
principals = st.builds(
    Principal,
    id=st.just("p"),
    method=st.just("jwt"),
    agent=st.none() | names,
    user=st.none() | names,
    tenant=st.none() | names,
    roles=st.lists(names).map(tuple),
    scopes=st.lists(names).map(tuple),
    tags=st.lists(names).map(tuple),
    task=st.none() | st.builds(Task, names),
)
targets = st.builds(
    Target,
    st.sampled_from([Kind.TOOL, Kind.RESOURCE, Kind.PROMPT]),
    names,
    st.text("ab/", min_size=1, max_size=3),
)


@settings(deadline=None)
@given(st.lists(written, max_size=12), principals, targets)
def test_the_index_finds_just_the_rules_that_are_about_caller_and_target(
    rules: list[dict[str, object]], principal: Principal, target: Target
) -> None:
    compiled = policy_of(*({**rule, "id": f"r{at}"} for at, rule in enumerate(rules))).rules
    held = held_by(principal)
    asked = [rule.id for rule in compiled if rule.aims_at(target) and rule.covers(held)]
    assert sorted(rule.id for rule in Index(compiled).find(target, held)) == sorted(asked)
    for rule in compiled:
        assert rule.covers(held) is (rule.lacks(held) == [])
