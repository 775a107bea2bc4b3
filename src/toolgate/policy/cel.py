"""CEL: a condition's text in, true, false or a failure out. The only file that knows the library.

It keeps to the library's limits: plain dicts and lists only, 64-bit integers, 10,000 iterations. Data
must not nest deeper than the 128 levels that are let in elsewhere: at 6,000 the library crashes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from toolgate.errors import ConfigError, Problem
from toolgate.policy.calls import complaints_about, read_sql
from toolgate.policy.faults import OURS, describe_compile_errors, describe_failure
from toolgate.policy.functions import Unreadable, overloads
from toolgate.policy.syntax import read_calls, read_paths
from toolgate.policy.vocabulary import VARIABLES


class Failed(Struct, frozen=True):
    """A condition that is neither true nor false."""

    text: str


Verdict = bool | Failed

Gives = tuple[str, ...]
TRUTH: Gives = ("BOOL",)
NUMBER: Gives = ("INT", "UINT", "DOUBLE")


class CompileError(Exception):
    """A condition that cannot be used, with every complaint about it."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints = complaints


class Program:
    """One compiled condition."""

    __slots__ = ("_eval", "_keys", "calls", "paths")

    def __init__(self, expression: Any) -> None:
        serialized = expression.serialize()
        paths = tuple(read_paths(serialized))
        self._eval = expression.eval
        self.calls = tuple(read_calls(serialized))
        """What it calls."""
        fields = {call.field for call in self.calls if call.field is not None}
        self._keys = fields.union(*(path[1:] for path in paths))
        self.paths = paths
        """What it reads: names with the constant keys after them."""

    def evaluate(self, data: Mapping[str, Any]) -> Verdict:
        """Never raises. A variable left out of `data` is unknown: an answer that needs it is a failure."""
        answer = self._answer(data)
        if answer is True or answer is False or isinstance(answer, Failed):
            return answer
        return Failed("the condition is neither true nor false")

    def number(self, data: Mapping[str, Any]) -> int | float | Failed:
        """The same for an expression that gives a number."""
        answer = self._answer(data)
        if isinstance(answer, int | float | Failed) and not isinstance(answer, bool):
            return answer
        return Failed("the amount is no number")

    def _answer(self, data: Mapping[str, Any]) -> Any:
        try:
            value = self._eval(None, data)
            answer = value.value()
        except Exception as error:  # noqa: BLE001 - boundary to C++: budgets and surrogates arrive as anything
            return Failed(describe_failure(str(error), self._keys))
        if answer is True or answer is False or value.type().name() != "ERROR":
            return answer
        return Failed(describe_failure(str(answer), self._keys))


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with its complaints marked as free of values; whatever else it raises is not repeated."""

    def told(*values: Any) -> Any:
        try:
            return function(*values)
        except Unreadable as error:
            raise ValueError(f"{OURS}{error}") from None

    return told


class Language:
    """Compiles conditions."""

    def __init__(self) -> None:
        """Raises `ConfigError` where the library is not installed."""
        try:
            from cel_expr_python import cel
            from cel_expr_python.ext import ext_math, ext_optional, ext_strings
        except ImportError as error:
            problem = Problem("Conditions need cel-expr-python, which has no build for this platform.")
            raise ConfigError([problem]) from error
        self._types = {
            "string": cel.Type.STRING,
            "int": cel.Type.INT,
            "double": cel.Type.DOUBLE,
            "bool": cel.Type.BOOL,
            "timestamp": cel.Type.TIMESTAMP,
            "list": cel.Type.List(cel.Type.STRING),
            "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        }
        self._any_list = cel.Type.List(cel.Type.DYN)
        self._cel = cel
        self._extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional(), ext_math.ExtMath()]
        self._environments: dict[str | None, Any] = {}
        self._programs: dict[tuple[str, str | None, Gives], Program] = {}

    def compile(self, text: str, dialect: str | None = None, *, gives: Gives = TRUTH) -> Program:
        """The program of an expression; equal texts share one. Raises `CompileError`.

        `dialect` is the one that `sql` reads in where the condition names none.
        """
        key = text, dialect, gives
        if key not in self._programs:
            self._programs[key] = self._compile(*key)
        return self._programs[key]

    def _compile(self, text: str, dialect: str | None, gives: Gives) -> Program:
        try:
            expression = self._environment(dialect).compile(text)
        except RuntimeError as error:
            raise CompileError(describe_compile_errors(str(error))) from error
        kind = expression.return_type().name()
        # DYN is what a bare `args.confirmed` gives; whether it is a boolean shows in the call.
        if kind not in (*gives, "DYN"):
            wanted = "true or false" if gives == TRUTH else "a number"
            raise CompileError([f"The condition gives {kind.lower()}, not {wanted}."])
        program = Program(expression)
        if complaints := list(complaints_about(program.calls)):
            raise CompileError(complaints)
        return program

    def _environment(self, dialect: str | None) -> Any:
        """An expensive object, so there is one for each dialect in use."""
        if dialect not in self._environments:
            self._environments[dialect] = self._cel.NewEnv(
                variables={name: self._types[variable.type] for name, variable in VARIABLES.items()},
                extensions=self._extensions,
                functions=self._functions(dialect),
            )
        return self._environments[dialect]

    def _functions(self, dialect: str | None) -> list[Any]:
        forms: dict[str, list[Any]] = {}
        for number, one in enumerate(overloads(read_sql, dialect)):
            parameters = [self._any_list if kind == "list" else self._types[kind] for kind in one.parameters]
            form = self._cel.Overload(
                f"toolgate_{number}",
                return_type=self._types[one.result],
                parameters=parameters,
                is_member=one.member,
                impl=_telling(one.impl),
            )
            forms.setdefault(one.name, []).append(form)
        return [self._cel.FunctionDecl(name, declared) for name, declared in forms.items()]
