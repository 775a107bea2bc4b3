"""An independent reading of Traefik's `mcp` middleware, for comparison: it judges bodies, as Traefik does.

Written from the documented semantics alone and sharing nothing with `toolgate.imports`: an expression is taken
apart from the outside (the last `||` outside of parentheses and literals, and so on), and values are compared
in Python.
"""

import re
from decimal import Decimal
from typing import Any

Body = dict[str, Any]
MISSING = object()
ATOM = re.compile(r"`[^`]*`|\"(?:\\.|[^\"\\])*\"|\|\||&&|[()!,]|[A-Za-z]+")


def decide(mcp: dict[str, Any], body: Body, claims: Body) -> str:
    """`allow` or `deny`."""
    for policy in mcp.get("policies", ()):
        if holds(policy["match"], body, claims):
            return str(policy["action"])
    return str(mcp.get("defaultAction", "deny"))


def lists(mcp: dict[str, Any], method: str, item: str, claims: Body) -> bool:
    """Whether an item is in the answer to a list."""
    if decide(mcp, {"method": method, "params": {}}, claims) == "deny":
        return False
    rules = mcp.get("listPolicies", ())
    if not rules:
        return True
    params = {"name": item, "uri": item} if method == "resources/list" else {"name": item}
    for rule in rules:
        if holds(rule["match"], {"method": method, "params": params}, claims):
            return bool(rule["action"] == "show")
    return bool(mcp.get("listDefaultAction", "hide") == "show")


def holds(expression: str, body: Body, claims: Body) -> bool:
    """Whether an expression is true."""
    return _tokens(ATOM.findall(expression), {"mcp": body, "jwt": claims})


def _tokens(tokens: list[str], roots: Body) -> bool:
    for operator in ("||", "&&"):
        parts = _split(tokens, operator)
        if len(parts) > 1:
            return (any if operator == "||" else all)(_tokens(part, roots) for part in parts)
    if tokens[0] == "!":
        return not _tokens(tokens[1:], roots)
    if tokens[0] == "(":
        return _tokens(tokens[1:-1], roots)
    literals = [_text(token) for token in tokens[2:-1] if token != ","]
    return _call(tokens[0], literals, roots)


def _split(tokens: list[str], operator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if token == operator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _text(token: str) -> str:
    return token[1:-1] if token[0] == "`" else re.sub(r"\\(.)", r"\1", token[1:-1])


def _call(name: str, literals: list[str], roots: Body) -> bool:
    value = _at(literals[0], roots)
    texts = [_filled(text, roots) for text in literals[1:]]
    if value is MISSING or None in texts:
        return False
    if name == "Equals":
        return _spell(value) == texts[0]
    if name == "Prefix":
        return isinstance(value, str) and value.startswith(texts[0] or "")
    if name == "Contains":
        if isinstance(value, list):
            return texts[0] in [_spell(one) for one in value]
        return isinstance(value, str) and (texts[0] or "") in value
    if name == "SplitContains":
        # As Go splits: at nothing means into characters.
        return isinstance(value, str) and texts[1] in (value.split(texts[0]) if texts[0] else list(value))
    if name == "OneOf":
        return isinstance(value, list) and bool({_spell(one) for one in value} & set(texts))
    left, right = _number(value), _number(_raw(literals[1], roots))
    if left is None or right is None:
        return False
    return {"Lt": left < right, "Lte": left <= right, "Gt": left > right, "Gte": left >= right}[name]


def _at(path: str, roots: Body) -> Any:
    # A dot that stands behind an odd number of backslashes belongs to the key.
    keys = [re.sub(r"\\(.)", r"\1", key) for key in re.findall(r"(?:\\.|[^.\\])+", path)]
    value: Any = roots
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def _filled(text: str, roots: Body) -> str | None:
    filled = ""
    for number, part in enumerate(re.split(r"\$\{([^}]*)\}", text)):
        spelled = part if number % 2 == 0 else _spell(_at(part, roots))
        if spelled is None:
            return None
        filled += spelled
    return filled


def _raw(text: str, roots: Body) -> Any:
    whole = re.fullmatch(r"\$\{([^}]*)\}", text)
    return _at(whole[1], roots) if whole else text


def _spell(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        spelled = format(Decimal(repr(value)), "f")
        return spelled.rstrip("0").rstrip(".") if "." in spelled else spelled
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII) else None
    return float(value) if isinstance(value, int | float) else None
