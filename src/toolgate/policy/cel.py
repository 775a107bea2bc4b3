"""CEL: a condition's text in, true, false or a failure out. The only file that knows the library.

It keeps to the library's limits: plain dicts and lists only, 64-bit integers, 10,000 iterations. Data
must not nest deeper than the 128 levels that are let in elsewhere: at 6,000 the library crashes.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from toolgate.errors import ConfigError, Problem
from toolgate.policy.faults import describe_compile_errors, describe_failure
from toolgate.policy.syntax import read_paths
from toolgate.policy.vocabulary import VARIABLES


class Failed(Struct, frozen=True):
    """A condition that is neither true nor false."""

    text: str


Verdict = bool | Failed


class CompileError(Exception):
    """A condition that cannot be used, with every complaint about it."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints = complaints


class Program:
    """One compiled condition."""

    __slots__ = ("_eval", "_keys", "paths")

    def __init__(self, expression: Any, paths: tuple[tuple[str, ...], ...]) -> None:
        self._eval = expression.eval
        self._keys = frozenset(key for path in paths for key in path[1:])
        self.paths = paths
        """What it reads: names with the constant keys after them."""

    def evaluate(self, data: Mapping[str, Any]) -> Verdict:
        """Never raises. A variable left out of `data` is unknown: an answer that needs it is a failure."""
        try:
            value = self._eval(None, data)
            answer = value.value()
        except Exception as error:  # noqa: BLE001 - boundary to C++: budgets and surrogates arrive as anything
            return Failed(describe_failure(str(error), self._keys))
        if answer is True or answer is False:
            return bool(answer)
        if value.type().name() == "ERROR":
            return Failed(describe_failure(str(answer), self._keys))
        return Failed("the condition is neither true nor false")


class Language:
    """The environment that conditions are compiled in: an expensive object, one for all of them."""

    def __init__(self) -> None:
        """Raises `ConfigError` where the library is not installed."""
        try:
            from cel_expr_python import cel
            from cel_expr_python.ext import ext_math, ext_optional, ext_strings
        except ImportError as error:
            problem = Problem("Conditions need cel-expr-python, which has no build for this platform.")
            raise ConfigError([problem]) from error
        types = {
            "string": cel.Type.STRING,
            "int": cel.Type.INT,
            "timestamp": cel.Type.TIMESTAMP,
            "list": cel.Type.List(cel.Type.STRING),
            "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        }
        self._environment = cel.NewEnv(
            variables={name: types[variable.type] for name, variable in VARIABLES.items()},
            extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional(), ext_math.ExtMath()],
        )
        self._programs: dict[str, Program] = {}

    def compile(self, text: str) -> Program:
        """The program of a condition; equal texts share one. Raises `CompileError`."""
        if text not in self._programs:
            self._programs[text] = self._compile(text)
        return self._programs[text]

    def _compile(self, text: str) -> Program:
        try:
            expression = self._environment.compile(text)
        except RuntimeError as error:
            raise CompileError(describe_compile_errors(str(error))) from error
        kind = expression.return_type().name()
        # DYN is what a bare `args.confirmed` gives; whether it is a boolean shows in the call.
        if kind not in ("BOOL", "DYN"):
            raise CompileError([f"The condition gives {kind.lower()}, not true or false."])
        return Program(expression, tuple(read_paths(expression.serialize())))
