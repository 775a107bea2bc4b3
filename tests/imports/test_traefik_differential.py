"""Imported middlewares decide what an independent reading of Traefik's grammar decides, for calls and for lists."""

import json
import os
from pathlib import Path
from typing import Any

from traefik_documents import Chance
from traefik_reading import decide, lists

from toolgate.errors import ConfigError
from toolgate.imports.traefik.document import read_middleware
from toolgate.imports.traefik.translation import translate
from toolgate.model import Call, Effect, Kind, Principal, Target
from toolgate.policy.compilation import compile_policies
from toolgate.policy.decisions import Policy
from toolgate.policy.document import Document, Source

REQUESTS = int(os.environ.get("TOOLGATE_DIFFERENTIAL", "600"))
"""Requests judged twice; `make differential` asks for 50,000."""
OF_ONE = 40
"""Requests to each middleware."""
KINDS = {"tools/call": Kind.TOOL, "resources/read": Kind.RESOURCE, "prompts/get": Kind.PROMPT}
LISTS = {"tools/call": "tools/list", "resources/read": "resources/list", "prompts/get": "prompts/list"}


def test_an_imported_middleware_decides_as_traefik_does(tmp_path: Path) -> None:
    """Every difference is shown with the middleware, the claims and the request."""
    judged, allowed, shown, seed = 0, 0, 0, 0
    differences: list[Any] = []
    while judged < REQUESTS:
        seed += 1
        chance = Chance(seed)
        mcp = chance.middleware()
        policy = _imported(mcp, tmp_path / "mcp.yaml")
        if policy is None:
            continue
        for _ in range(OF_ONE):
            claims, (method, name), arguments = chance.claims(), chance.target(), chance.arguments()
            ours = _ours(policy, method, name, arguments, claims)
            theirs = _theirs(mcp, method, name, arguments, claims)
            judged, allowed, shown = judged + 1, allowed + theirs[0], shown + theirs[1]
            if ours != theirs:
                differences.append((seed, mcp, claims, method, name, arguments, ours, theirs))
    assert differences == []
    # Neither answer may be so rare that agreement says little.
    assert judged * 0.2 < allowed < judged * 0.8
    assert judged * 0.1 < shown < judged * 0.9


def _imported(mcp: dict[str, Any], file: Path) -> Policy | None:
    """None where all it is about are methods that Toolgate leaves open."""
    file.write_text(json.dumps(mcp))
    try:
        written = translate(read_middleware(file), "crm").policy
    except ConfigError as error:
        if all("open to every caller" in problem.text for problem in error.problems):
            return None
        raise
    document = Document.model_validate(written)
    return compile_policies([Source(document, lambda path: ("policy.yaml", 1, 1))])


def _ours(policy: Policy, method: str, name: str, arguments: Any, claims: Any) -> tuple[bool, bool]:
    principal = Principal("p", "jwt", claims=claims)
    target = Target(KINDS[method], "crm", name)
    params = {"uri" if method == "resources/read" else "name": name, "arguments": arguments}
    call = Call(revision="2026-07-28", door="crm", method=method, body=b"", params=params, name=name)
    listed = policy.judge(principal, target, None)
    assert listed.errors == ()
    assert listed.effect in (Effect.ALLOW, Effect.DENY)
    judged = policy.judge(principal, target, call)
    assert judged.errors == ()
    return judged.effect is Effect.ALLOW, listed.effect is Effect.ALLOW


def _theirs(mcp: Any, method: str, name: str, arguments: Any, claims: Any) -> tuple[bool, bool]:
    params = {"uri" if method == "resources/read" else "name": name, "arguments": arguments}
    body = {"method": method, "params": params}
    return decide(mcp, body, claims) == "allow", lists(mcp, LISTS[method], name, claims)
