"""What CEL complains of, in our words. No value of a call gets into them: they end up in the ledger."""

import re
from collections.abc import Collection

from toolgate.policy.vocabulary import suggest_name

_UNBOUND = re.compile(r'No value with name "([\w.]+)" found')
_NO_KEY = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_NO_OVERLOAD = re.compile(r"No matching overloads found : (\S+\([\w, <>.]*\))")
_HARMLESS = (
    "Iteration budget exceeded",
    "divide by zero",
    "modulus by zero",
    "integer overflow",
    "Index error",
    "out of range",
    "cannot convert string to int",
    "cannot convert string to double",
    "String to Timestamp conversion failed",
    "String to Duration conversion failed",
    "invalid regular expression",
)
OURS = "toolgate: "
"""Stands before what our own functions say, which holds no value."""
_COMPILE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")


def describe_failure(text: str, keys: Collection[str]) -> str:
    """One line on why a condition could not be evaluated. `keys` are the constants its text names."""
    if found := _UNBOUND.search(text):
        return f"`{found[1]}` is not known here"
    if found := _NO_KEY.search(text):
        # A key computed from an argument is a value of the call.
        return f"there is no key `{found[1]}`" if found[1] in keys else "there is no such key"
    if found := _NO_OVERLOAD.search(text):
        return f"the values do not fit {found[1]}"
    if OURS in text:
        return text.partition(OURS)[2]
    for phrase in _HARMLESS:
        if phrase in text:
            return phrase
    return "a value cannot be judged"


def describe_compile_errors(text: str) -> list[str]:
    """What is wrong with a condition, one sentence each, with the word it probably meant."""
    complaints = [
        _complaint(int(line), int(column), message) for line, column, message in _COMPILE.findall(text)
    ]
    return complaints or [text.strip().splitlines()[0]]


def _complaint(line: int, column: int, message: str) -> str:
    place = f" (line {line}, character {column} of the condition)" if line > 0 else ""
    found = _UNDECLARED.search(message)
    if found is None:
        return f"{message}{place}."
    return f"There is no `{found[1]}`{place}. {suggest_name(found[1])}".rstrip()
