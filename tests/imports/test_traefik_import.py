"""Every construct of Traefik's `mcp` middleware, imported and asked; and what cannot be imported, told."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.errors import ConfigError
from toolgate.imports.traefik.document import read_middleware
from toolgate.imports.traefik.translation import Imported, translate
from toolgate.model import Call, Decision, Effect, Kind, Principal, Target
from toolgate.policy.compilation import compile_policies
from toolgate.policy.document import Document, Source

EXAMPLE = r"""
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: crm-mcp, namespace: apps}
spec:
  plugin:
    mcp:
      resourceMetadata:
        resource: https://gw.example.com/crm/mcp
        authorizationServers: [https://idp.example.com]
        scopesSupported: [crm.read]
        resourceDocumentation: https://docs.example.com
      defaultAction: deny
      gracefulErrors: true
      policies:
        - match: Equals(`mcp.method`, `initialize`)
          action: allow
        - match: Equals(`mcp.method`, `tools/list`)
          action: allow
        - match: Equals(`mcp.params.name`, `refund`) && !Lte(`mcp.params.arguments.amount`, `${jwt.limit}`)
          action: deny
          reason: The amount is above your limit.
        - match: Equals(`mcp.method`, `tools/call`) && Contains(`jwt.tools`, `${mcp.params.name}`)
          action: allow
      listDefaultAction: hide
      listPolicies:
        - match: Contains(`jwt.tools`, `${mcp.params.name}`)
          action: show
"""
CALLER = {"tools": ["refund", "read"], "limit": 100}


def imported(text: str, folder: Path, server: str = "crm") -> Imported:
    file = folder / "middleware.yaml"
    file.write_text(text)
    return translate(read_middleware(file), server)


def problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        imported(text, folder)
    return [str(problem).partition("middleware.yaml:")[2] for problem in raised.value.problems]


def decided(written: Imported, claims: Any, name: str | None, arguments: Any = None) -> Decision:
    """The decision on a call of a tool; with arguments None, on showing it."""
    source = Source(Document.model_validate(written.policy), lambda path: ("policy.yaml", 1, 1))
    policy = compile_policies([source])
    name = name or "x"
    params = {"name": name, "arguments": arguments}
    call = Call(revision="2026-07-28", door="crm", method="tools/call", body=b"", params=params, name=name)
    target = Target(Kind.TOOL, "crm", name)
    principal = Principal("p", "jwt", claims=claims)
    return policy.judge(principal, target, None if arguments is None else call)


def rule(match: str, **more: Any) -> str:
    return str(yaml.safe_dump({"policies": [{"match": match, "action": "allow"}], **more}))


def test_the_documented_example_decides_as_documented(tmp_path: Path) -> None:
    written = imported(EXAMPLE, tmp_path)
    assert decided(written, CALLER, "read", {}).effect is Effect.ALLOW
    assert decided(written, CALLER, "refund", {"amount": 100}).effect is Effect.ALLOW
    refused = decided(written, CALLER, "refund", {"amount": 101})
    assert (refused.effect, refused.reason) == (Effect.DENY, "The amount is above your limit.")
    assert decided(written, {"tools": ["refund"]}, "refund", {"amount": 1}).effect is Effect.DENY
    assert decided(written, CALLER, "drop", {}).effect is Effect.DENY
    assert decided(written, CALLER, "read").effect is Effect.ALLOW
    assert decided(written, CALLER, "drop").effect is Effect.DENY


def test_what_is_no_policy_is_written_down_for_the_reader(tmp_path: Path) -> None:
    text = imported(EXAMPLE, tmp_path).text("Imported.")
    assert "# public_url: https://gw.example.com\n" in text
    assert (
        "#     - issuer: https://idp.example.com\n#       audience: https://gw.example.com/crm/mcp\n" in text
    )
    for word in ("scopesSupported", "resourceDocumentation", "Life-cycle methods", "policies[0] allows only"):
        assert word in text
    assert "gracefulErrors" not in text
    Document.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize("nested", ["apiVersion", "spec", "plugin", "mcp", "bare"])
def test_as_little_as_the_block_is_enough(nested: str, tmp_path: Path) -> None:
    whole = yaml.safe_load(EXAMPLE)
    forms = {
        "apiVersion": whole,
        "spec": {"spec": whole["spec"]},
        "plugin": whole["spec"],
        "mcp": whole["spec"]["plugin"],
        "bare": whole["spec"]["plugin"]["mcp"],
    }
    written = imported(yaml.safe_dump(forms[nested]), tmp_path)
    assert written.policy == imported(EXAMPLE, tmp_path).policy


@pytest.mark.parametrize(
    ("match", "claims", "arguments", "holds"),
    [
        ("Equals(`jwt.sub`, `ada`)", {"sub": "ada"}, {}, True),
        ("Equals(`jwt.sub`, `ada`)", {"sub": ["ada"]}, {}, False),
        ("Equals(`jwt.admin`, `true`)", {"admin": True}, {}, True),
        ("Equals(`jwt.admin`, `true`)", {"admin": 1}, {}, False),
        ("Equals(`jwt.level`, `5`)", {"level": 5.0}, {}, True),
        ("Equals(`jwt.level`, `0.5`)", {"level": 0.5}, {}, True),
        ("Equals(`jwt.level`, `5.0`)", {"level": 5}, {}, False),
        ("Equals(`jwt.id`, `12345678901234567890`)", {"id": "12345678901234567890"}, {}, True),
        ("Equals(`jwt.gone`, ``)", {"gone": None}, {}, False),
        ("Prefix(`jwt.sub`, `ad`)", {"sub": "ada"}, {}, True),
        ("Prefix(`jwt.sub`, `ad`)", {"sub": 7}, {}, False),
        ("Contains(`jwt.sub`, `d`)", {"sub": "ada"}, {}, True),
        ("Contains(`jwt.groups`, `dev`)", {"groups": ["dev", "ops"]}, {}, True),
        ("Contains(`jwt.groups`, `de`)", {"groups": ["dev"]}, {}, False),
        ("Contains(`jwt.groups`, `5`)", {"groups": [5]}, {}, True),
        ("Contains(`jwt.groups`, `dev`)", {"groups": {"dev": 1}}, {}, False),
        ("SplitContains(`jwt.scope`, ` `, `crm.read`)", {"scope": "a crm.read"}, {}, True),
        ("SplitContains(`jwt.scope`, ` `, `crm`)", {"scope": "a crm.read"}, {}, False),
        ("OneOf(`jwt.groups`, `a`, `dev`)", {"groups": ["dev"]}, {}, True),
        ("OneOf(`jwt.groups`, `dev`)", {"groups": "dev"}, {}, False),
        ("Lt(`mcp.params.arguments.n`, `5`)", {}, {"n": 5}, False),
        ("Lte(`mcp.params.arguments.n`, `5`)", {}, {"n": 5}, True),
        ("Gt(`mcp.params.arguments.n`, `4.5`)", {}, {"n": 5}, True),
        ("Gte(`mcp.params.arguments.n`, `-5`)", {}, {"n": "-5"}, True),
        ("Lte(`mcp.params.arguments.n`, `5`)", {}, {"n": "five"}, False),
        ("Lte(`mcp.params.arguments.n`, `${jwt.limit}`)", {"limit": "10"}, {"n": 9.5}, True),
        ("Lte(`mcp.params.arguments.n`, `${jwt.limit}`)", {}, {"n": 1}, False),
        ("!Lte(`mcp.params.arguments.n`, `${jwt.limit}`)", {}, {"n": 1}, True),
        ("!Equals(`jwt.missing`, `x`)", {}, {}, True),
        ("!!Equals(`jwt.missing`, `x`)", {}, {}, False),
        ("Equals(`jwt.a.b.c`, `x`)", {"a": {"b": {"c": "x"}}}, {}, True),
        ("Equals(`jwt.a.b.c`, `x`)", {"a": {"b": "x"}}, {}, False),
        (r"Equals(`jwt.https://a\.b/c`, `x`)", {"https://a.b/c": "x"}, {}, True),
        (r"Equals(`jwt.a\\b`, `x`)", {"a\\b": "x"}, {}, True),
        (r'Equals("jwt.a\\.b", "say \"x\"")', {"a.b": 'say "x"'}, {}, True),
        (
            "Equals(`jwt.sub`, `user-${jwt.n}-${jwt.s}`)",
            {"sub": "user-0.25-a", "n": 0.25, "s": "a"},
            {},
            True,
        ),
        ("Equals(`jwt.sub`, `$x{}`)", {"sub": "$x{}"}, {}, True),
        ("Contains(`jwt.tools`, `${mcp.params.name}`)", {"tools": ["x"]}, {}, True),
        ("Contains(`jwt.tools`, `${jwt.list}`)", {"tools": ["x"], "list": ["x"]}, {}, False),
        ("Equals(`jwt.claims.sub`, `ada`)", {"sub": "ada"}, {}, True),
        ("Equals(`user.sub`, `ada`)", {"sub": "ada"}, {}, True),
        ("Equals(`mcp.method`, `tools/call`)", {}, {}, True),
        ("Prefix(`mcp.method`, `resources/`)", {}, {}, False),
        ("Equals(`mcp.params.uri`, `x`)", {}, {}, False),
        ("Equals(`jwt.a`,`1`)||Equals(`jwt.b`,`1`)&&Equals(`jwt.c`,`1`)", {"a": 1}, {}, True),
        ("(Equals(`jwt.a`,`1`)||Equals(`jwt.b`,`1`)) && Equals(`jwt.c`,`1`)", {"a": 1}, {}, False),
    ],
)
def test_an_expression_holds_where_traefik_says_so(
    match: str, claims: Any, arguments: Any, holds: bool, tmp_path: Path
) -> None:
    decision = decided(imported(rule(match), tmp_path), claims, "x", arguments)
    assert (decision.effect is Effect.ALLOW, decision.errors) == (holds, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (rule("NotEquals(`jwt.a`, `b`)"), "there is no function NotEquals. (character 1) Traefik has none;"),
        (rule("equals(`jwt.a`, `b`)"), "Write Equals(...)."),
        (rule("Regexp(`jwt.a`, `b`)"), "there is no function Regexp. (character 1) There is: Equals,"),
        (rule("Equals(`jwt.a`, 'b')"), "(character 17) Single quotes are not read."),
        (rule("Equals(`jwt.a`)"), "Equals takes a key and 1 more, not 0."),
        (rule("Equals(`jwt.a`, `b`"), "expected ) here. (character 20)"),
        (rule("Equals(`jwt.a`, `b`) Equals(`jwt.a`, `b`)"), "expected && or ||"),
        (rule("Equals(`jwt.a`, `${b`)"), "${ is not closed."),
        (rule("Equals(`jwt.a`, `${}`)"), "is no key path."),
        (rule("Equals(`jwt.${mcp.params.name}`, `b`)"), "a key cannot hold ${...}."),
        (rule(r"Equals(`jwt.a\x`, `b`)"), r"\x is no escape."),
        (rule(r'Equals("jwt.a\q", `b`)'), "not one of Go's"),
        (rule("Equals(`jwt`, `b`)"), "`jwt` is no single value."),
        (
            rule("Equals(`mcp.params._meta.task`, `b`)"),
            "not known to conditions. (character 8) Of a message there",
        ),
        (rule("Equals(`header.x`, `b`)"), "there is no root `header`."),
        (rule("Lte(`jwt.a`, `ten`)"), "Lte compares with a number."),
        (rule("Lte(`jwt.a`, `1${jwt.b}`)"), "Lte compares with a number."),
        (rule("(" * 100 + "Equals(`jwt.a`, `b`)" + ")" * 100), "nested deeper than 64 levels."),
        ("policies: [{match: 'Equals(`mcp.method`, `ping`)', action: deny}]", "open to every caller"),
        (
            rule("Equals(`jwt.a`, `b`)", listDefaultAction="hide"),
            "without `listPolicies` nothing is filtered.",
        ),
        (rule("Equals(`jwt.a`, `b`)", backend="x"), "unknown key."),
        (rule("Equals(`jwt.a`, `b`)", defaultAction="maybe"), "expected 'allow' or 'deny'."),
        (rule("Equals(`jwt.a`, `b`)", resourceMetadata={"resource": "http://x"}), "must match"),
        (
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nspec: {plugin: {mcp: {}}}",
            "expected 'Middleware'",
        ),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_place_and_a_remedy(
    text: str, told: str, tmp_path: Path
) -> None:
    found = problems(text, tmp_path)
    assert len(found) == 1
    assert told in found[0]
    assert found[0][0].isdigit()


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "policies:\n  - {match: 'No(`a`)', action: allow}\n  - {match: 'Equals(`x.a`, `b`)', action: deny}\n"
    )
    first, second = problems(text, tmp_path)
    assert first.startswith("2:6: policies[0].match: there is no function No.")
    assert second.startswith("3:6: policies[1].match: there is no root `x`.")


def test_lists_are_empty_where_no_policy_lets_anybody_ask_for_them(tmp_path: Path) -> None:
    written = imported(rule("Equals(`mcp.method`, `tools/call`)"), tmp_path)
    assert decided(written, {}, "x", {}).effect is Effect.ALLOW
    assert decided(written, {}, "x").effect is Effect.DENY
    assert any("their lists are empty" in note for note in written.notes)


def test_without_list_policies_everything_is_listed(tmp_path: Path) -> None:
    written = imported(rule("Equals(`mcp.method`, `tools/list`)"), tmp_path)
    assert decided(written, {}, "x", {}).effect is Effect.DENY
    assert decided(written, {}, "x").effect is Effect.ALLOW


def test_a_default_that_is_not_documented_hides_and_is_told(tmp_path: Path) -> None:
    text = rule(
        "Prefix(`mcp.method`, `tools`)", listPolicies=[{"match": "Equals(`jwt.a`, `1`)", "action": "show"}]
    )
    written = imported(text, tmp_path)
    assert decided(written, {}, "x").effect is Effect.DENY
    assert decided(written, {"a": 1}, "x").effect is Effect.ALLOW
    assert any("listDefaultAction" in note for note in written.notes)


def test_paths_of_early_builds_are_read_with_a_note(tmp_path: Path) -> None:
    notes = imported(rule("Equals(`user.groups`, `a`) || Equals(`jwt.claims.x`, `a`)"), tmp_path).notes
    assert [note for note in notes if "early builds" in note] == [
        "policies[0]: `user.groups`, a path of early builds, was read as the claim itself.",
        "policies[0]: `jwt.claims.x`, a path of early builds, was read as the claim itself.",
    ]


def test_other_servers_are_not_concerned(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(imported(EXAMPLE, tmp_path).text("Imported."))
    patterns = [
        pattern
        for part in ("rules", "lists")
        for one in yaml.safe_load(file.read_text())[part]
        for kind in ("tools", "resources", "prompts")
        for pattern in one.get(kind, ())
    ]
    assert set(patterns) == {"crm/*"}


def test_the_command_writes_a_file_and_never_over_one(tmp_path: Path) -> None:
    (tmp_path / "middleware.yaml").write_text(EXAMPLE)
    out = tmp_path / "crm.yaml"
    line = ["import", "traefik", str(tmp_path / "middleware.yaml"), "--server", "crm", "--out", str(out)]
    first = CliRunner().invoke(app, line)
    assert (first.exit_code, first.stdout) == (0, "")
    assert "note: Life-cycle methods" in first.stderr
    Document.model_validate(yaml.safe_load(out.read_text()))
    second = CliRunner().invoke(app, line)
    assert (second.exit_code, "File exists" in second.stderr) == (2, True)
    assert CliRunner().invoke(app, [*line[:4], "a b"]).exit_code == 2
