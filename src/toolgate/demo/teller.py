"""How the story looks in a terminal: numbered steps, indented lines, colour only there. Knows no plot."""

from rich.console import Console
from rich.text import Text

INDENT = "   "


class Teller:
    """Prints; what it is given is text, never markup."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    def step(self, title: str) -> None:
        """A new step of the story."""
        self._steps += 1
        self._print(Text(f"\n{self._steps}  {title}", style="bold"))

    def line(self, text: str) -> None:
        """Something that is so."""
        self._print(Text(INDENT + text))

    def asked(self, text: str) -> None:
        """What the agent asks for."""
        self._print(Text(f"{INDENT}> {text}", style="cyan"))

    def allowed(self, text: str) -> None:
        """What it got."""
        self._verdict("allowed", "green", text)

    def refused(self, text: str) -> None:
        """Why it got nothing."""
        self._verdict("refused", "red", text)

    def found(self, text: str) -> None:
        """What a check has found."""
        self._verdict("found", "yellow", text)

    def plain(self, text: str = "", style: str = "") -> None:
        """A line at the margin."""
        self._print(Text(text, style=style))

    def _verdict(self, word: str, style: str, text: str) -> None:
        self._print(Text.assemble(f"{INDENT}  ", (f"{word:7}", style), f"  {text}"))

    def _print(self, text: Text) -> None:
        # soft_wrap: a reader of a pipe gets the lines as they are, not cut at 80 columns.
        self._console.print(text, soft_wrap=True, highlight=False)
