"""Our own functions of conditions: what they know, and what they refuse to read."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_support import ask, policy_of, rule

from toolgate.errors import ConfigError
from toolgate.model import Effect
from toolgate.policy.functions import Unreadable, contains_all, contains_ip, route, under, url


@pytest.mark.parametrize(
    "path",
    [
        "a.csv",
        "2026/a.csv",
        "./a",
        "x/../a",
        "/srv/reports",
        "/srv/reports/a",
        "/srv/./reports/x/../a",
        "a..b",
        "100%",
    ],
)
def test_a_path_below_the_root_is_under_it(path: str) -> None:
    """AZ-18"""
    assert under(path, "/srv/reports/")


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../reports-old/a",
        "/srv/reports-old/a",
        "/etc/passwd",
        "x/../../a",
        "/srv/reports/../../etc",
        "//srv/reports/a",
    ],
)
def test_a_path_that_leads_elsewhere_is_not(path: str) -> None:
    assert not under(path, "/srv/reports")


@pytest.mark.parametrize("path", ["~/a", "a\\..\\b", "a\0b", "%2e%2e/a", "a\nb", "..%2fa"])
def test_a_path_that_servers_read_differently_is_not_safe(path: str) -> None:
    with pytest.raises(Unreadable):
        under(path, "/srv/reports")


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "srv", "reports"]), max_size=8), st.booleans())
def test_no_path_under_the_root_resolves_outside(parts: list[str], absolute: bool) -> None:
    path = "/".join([""] * absolute + parts)
    if under(path, "/srv/reports"):
        resolved = posixpath.normpath(posixpath.join("/srv/reports", path))
        assert f"{resolved}/".startswith("/srv/reports/")


@pytest.mark.parametrize(
    ("path", "template", "fits"),
    [
        ("/users/7", "/users/{id}", True),
        ("/users/7?admin=1", "/users/{id}", True),
        ("https://h/users/7", "/users/{id}", True),
        ("/users/7/orders", "/users/{id}", False),
        ("/users/", "/users/{id}", False),
        ("/users/7/orders/9", "/users/*", True),
        ("/users", "/users/*", False),
        ("/a%20b", "/a b", True),
        ("/", "/", True),
        ("/Users/7", "/users/{id}", False),
    ],
)
def test_a_route_has_the_form_of_its_template(path: str, template: str, fits: bool) -> None:
    """AZ-08"""
    assert route(path, template) is fits


@pytest.mark.parametrize(
    "path",
    [
        "/users/../admin",
        "/users/%2e%2e/admin",
        "/users/%252e%252e/admin",
        "/users/..;/admin",
        "/users%2fadmin",
        "/users//admin",
        "/users/\\admin",
        "users/7",
        "/users/%00",
        "/users/%ff",
        "ftp://h/users/7",
    ],
)
def test_a_path_that_may_be_resolved_to_another_is_not_safe(path: str) -> None:
    with pytest.raises(Unreadable):
        route(path, "/users/{id}")


@pytest.mark.parametrize(
    "text",
    [
        "https://good.example@evil.example/",
        "https://a\\b",
        "//host/x",
        "/x",
        "javascript:x",
        "https://h:99999/",
        "https://h ost/",
        "https://hоst/",
        "https://",
    ],
)
def test_a_url_with_two_readings_is_not_safe(text: str) -> None:
    with pytest.raises(Unreadable):
        url(text)


def test_the_parts_of_a_url() -> None:
    assert url("HTTPS://API.Example.com./a?b=c#d") == {
        "scheme": "https",
        "host": "api.example.com",
        "port": 443,
        "path": "/a",
        "query": "b=c",
    }


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("fd00::/8", "fd12::1", True),
        ("10.0.0.0/8", "fd12::1", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_an_address_lies_in_a_range(network: str, address: str, inside: bool) -> None:
    assert contains_ip(network, address) is inside


def test_in_sets_true_is_not_one_as_in_cel() -> None:
    assert not contains_all([1], [True])
    assert contains_all([1, [2, {"a": 1}]], [1.0, [2.0, {"a": 1}]])


@pytest.mark.parametrize(
    ("when", "args", "error"),
    [
        ('sql(args.q, "postgres").reads_only', {"q": "SELECT 'a"}, "a quote does not end"),
        ('sql(args.q, "postgres").reads_only', {"q": 7}, "the values do not fit sql(int64, string)"),
        ('sql(args.q, "postgres").tables == []', {"q": "SELECT evil()"}, "there is no key `tables`"),
        ("sql(args.q).reads_only", {"q": "SELECT 1"}, "no `sql` dialect is configured for this server"),
        ('cidr("10.0.0.0/8").containsIP(args.ip)', {"ip": "sesame"}, "this is no IP address"),
        ("date(args.d) < now.timestamp", {"d": "2026-02-30"}, "this is no date such as 2026-11-20"),
        (
            "cidr(args.net).containsIP('10.0.0.1')",
            {"net": "x"},
            "this is no range of addresses such as 10.0.0.0/8",
        ),
    ],
)
async def test_what_cannot_be_read_is_not_safe_and_said_without_the_value(
    when: str, args: object, error: str
) -> None:
    """GR-07; E4: an erring allow does not match, an erring deny does."""
    allowed = await ask(policy_of(rule(when)), args)
    assert (allowed.effect, allowed.errors) == (Effect.DENY, (f"the-allow: {error}",))
    denied = await ask(policy_of(rule(when, "deny"), default="allow"), args)
    assert denied.effect is Effect.DENY


async def test_sql_is_read_in_the_dialect_of_the_server() -> None:
    judge = policy_of(rule("sql(args.q).reads_only"), dialects={"bank": "mysql", "crm": "postgres"})
    text = {"q": "SELECT 1 # DROP TABLE x"}
    assert (await ask(judge, text, to="bank/query")).effect is Effect.ALLOW
    assert (await ask(judge, text, to="crm/query")).effect is Effect.DENY
    assert (await ask(judge, text, to="hr/query")).effect is Effect.DENY


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ('sql(args.q, "postgers").reads_only', "Did you mean `postgres`?"),
        ("sql(args.q).read_only", "`sql(…)` has no `read_only`. Did you mean `reads_only`?"),
        ('url(args.u).hots == "x"', "Did you mean `host`?"),
        ('cidr("10.0.0.1/8").containsIP(client.ip)', "`cidr` cannot take"),
        ('date("20.11.2026") < now.timestamp', "`date` cannot take"),
        ('route(args.p, "users/{id}")', "`route` cannot take"),
        ('under(args.p, "srv")', "`under` cannot take"),
    ],
)
def test_what_can_never_work_is_refused_at_load(when: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_of(rule(when))
    assert says in str(caught.value)


def test_the_sql_parser_is_loaded_by_nothing_but_a_condition_that_calls_it() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from toolgate.policy.cel import Language; l = Language(); l.compile('args.a == 1'); "
        "assert 'sqlglot' not in sys.modules; l.compile('sql(args.a).reads_only'); assert 'sqlglot' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
