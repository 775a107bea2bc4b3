"""What the gateway says of itself and of the servers behind a door: `initialize` and `server/discover`. No I/O."""

import json
from typing import Any

import msgspec

from toolgate import __version__
from toolgate.model import Session
from toolgate.ports import Opened
from toolgate.protocol import merge, modern, versions
from toolgate.routing.table import Door

_IDENTITY = {"name": "toolgate", "version": __version__}


def initialized(door: Door, session: Session, opened: dict[str, Opened]) -> tuple[Session, bytes]:
    """The session with what the servers agreed to, and the InitializeResult.

    A single server's result passes as it is but for the revision; many are merged.
    """
    ids = {name: one.session_id for name, one in opened.items() if one.session_id is not None}
    session = msgspec.structs.replace(session, upstreams=ids)
    results = {name: json.loads(one.result) for name, one in opened.items()}
    if not door.shared:
        (result,) = results.values()
        result["capabilities"] = _offered(result.get("capabilities", {}))
        session = msgspec.structs.replace(session, revision=_common(session, result))
    else:
        result = _merged(results)
        result["serverInfo"] = _IDENTITY
    return session, _text({**result, "protocolVersion": session.revision})


def _offered(capabilities: Any) -> Any:
    """What a single server offers, but for a list of tasks: it would be of everybody who shares our credential."""
    tasks = capabilities.get("tasks") if isinstance(capabilities, dict) else None
    if not isinstance(tasks, dict):
        return capabilities
    return {**capabilities, "tasks": {key: value for key, value in tasks.items() if key != "list"}}


def _common(session: Session, result: dict[str, Any]) -> str:
    revision = result.get("protocolVersion")
    return versions.lower(revision, session.revision) if revision in versions.LEGACY else session.revision


def discovered(door: Door, found: dict[str, bytes]) -> bytes:
    """The DiscoverResult; a single server's passes as it is but for the revisions we carry."""
    results = {name: json.loads(one) for name, one in found.items()}
    if door.shared:
        result = {"resultType": "complete", **_merged(results), "ttlMs": 0}
        result["_meta"] = {modern.META + "serverInfo": _IDENTITY}
    else:
        (result,) = results.values()
    # What is behind the door depends on the caller, so nobody else may be served this answer.
    return _text({**result, "supportedVersions": list(versions.SUPPORTED), "cacheScope": "private"})


def _merged(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {
        "capabilities": merge.capabilities(one.get("capabilities") for one in results.values())
    }
    instructions = merge.instructions({name: one.get("instructions") for name, one in results.items()})
    return merged if instructions is None else {**merged, "instructions": instructions}


def _text(result: dict[str, Any]) -> bytes:
    # The standard library writes half surrogates, which servers emit when they cut a text; nothing here is hot.
    return json.dumps(result, separators=(",", ":")).encode()
