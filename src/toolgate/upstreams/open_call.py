"""One call open at a server with sessions, across all rounds of questions to its client. Sends nothing itself."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from msgspec import Raw, Struct

from toolgate.errors import INTERNAL_ERROR, Refusal
from toolgate.protocol import asking, bridge, envelope, jsonrpc

MAX_QUESTIONS = 16
"""Unanswered within one call."""
MAX_ROUNDS = 10
MAX_WAITING = 256
"""Messages that wait for the client; the oldest make room (E38)."""
SETTLE_SECONDS = 0.01
"""How long a question waits for others, so that those asked at once share a round."""


class Question(Struct, frozen=True):
    """A request of the server that waits for the client's answer."""

    id: bytes
    """The server's own, as JSON text."""
    method: str
    entry: Raw
    """As `inputRequests` has it."""


class OpenCall:
    """Hears what the server says within one call, and hands it out in order.

    `post` sends the server a message; `left` is told once that the call is over.
    """

    def __init__(
        self,
        number: int,
        capabilities: Mapping[str, Any],
        post: Callable[[bytes], None],
        left: Callable[["OpenCall"], None],
    ) -> None:
        self.number = number
        """The id that the server knows the call by."""
        self.questions: OrderedDict[str, Question] = OrderedDict()
        """Unanswered, by the key that the client knows."""
        self.be_patient: Callable[[], None] | None = None
        """Lets the server be silent for as long as the client may think."""
        self._capabilities = capabilities
        self._post = post
        self._left = left
        self._heard: deque[dict[str, Raw]] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()
        self._failure: BaseException | None = None
        self._answered = False
        self._progress = float("-inf")
        self._asked: Counter[str] = Counter()
        self._rounds = 0
        self._over = False
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry the call out: `work` sends it and has the server's messages heard, the response last."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._done)

    def hear(self, message: bytes) -> None:
        """A message of the server that belongs to this call. Raises `Refusal` for what is none."""
        parts = bridge.fields(message)
        if "method" not in parts:
            self._answered = True
            self._heard.append(parts)
        elif "id" in parts:
            self._ask(parts)
        elif self._counts(parts):
            self._heard.append(parts)
        self._news.set()

    async def next(self) -> dict[str, Raw] | None:
        """The next notification or the response; None once there are questions and nothing else for a moment.

        Raises what ended the call without a response.
        """
        while not self._heard:
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            if not self.questions:
                await self._news.wait()
                continue
            try:
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                return None
        return self._heard.popleft()

    def ask_client(self) -> dict[str, Raw]:
        """The questions of a new round. Raises `Refusal` where there were too many rounds (E70)."""
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise Refusal.upstream("upstream_invalid", f"the server asked in more than {MAX_ROUNDS} rounds")
        return {key: question.entry for key, question in self.questions.items()}

    def answers(self, responses: Mapping[str, Raw]) -> list[bytes]:
        """What the server gets for a client's answers; keys that nobody asked for are left aside.

        Raises `Refusal` (-32602) for an answer that answers no such question; then all stay unanswered.
        """
        matched = [(key, question) for key, question in self.questions.items() if key in responses]
        for key, question in matched:
            asking.check_answer(key, question.method, responses[key])
        for key, _ in matched:
            del self.questions[key]
        return [jsonrpc.result_text(question.id, bytes(responses[key])) for key, question in matched]

    def abandon(self) -> None:
        """End it, wherever it stands; the server is told."""
        if self._over:
            return
        self._over = True
        if self._task is not None:
            self._task.cancel()
        self._left(self)

    def _ask(self, parts: dict[str, Raw]) -> None:
        id, method = bytes(parts["id"]), jsonrpc.text(parts["method"]) or ""  # noqa: A001
        if method == "ping":
            self._post(jsonrpc.result_text(id, b"{}"))
            return
        params = parts.get("params", Raw(b"{}"))
        needed = asking.undeclared(method, params, self._capabilities)
        if needed is not None:
            self._failure = asking.missing_capability(needed)
        elif self._over or len(self.questions) >= MAX_QUESTIONS:
            self._post(jsonrpc.error(id, INTERNAL_ERROR, "Nobody can be asked."))
        else:
            kind = asking.KINDS[method]
            key = f"{kind}-{self._asked[kind]}"
            self._asked[kind] += 1
            if self.be_patient is not None:
                self.be_patient()
            self.questions[key] = Question(id, method, asking.entry(method, params))

    def _counts(self, parts: dict[str, Raw]) -> bool:
        """Whether a notification is for the client; progress must increase and be of this call (E41)."""
        method, params = jsonrpc.text(parts["method"]), parts.get("params", Raw(b"{}"))
        if method == "notifications/cancelled":
            self._withdraw(envelope.cancelled(params))
            return False
        if method != "notifications/progress":
            return True
        found = envelope.progress(params)
        if found is None or found[0] != b"%d" % self.number or found[1] <= self._progress:
            return False
        self._progress = found[1]
        return True

    def _withdraw(self, id: bytes | None) -> None:
        for key, question in list(self.questions.items()):
            if question.id == id:
                del self.questions[key]

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._failure = Refusal.unavailable("the call was ended")
        elif task.exception() is not None:
            self._failure = task.exception()
        elif not self._answered:
            self._failure = bridge.lie("the stream ended before the answer")
        self._news.set()
        if self._over:
            # The cancel has gone first: what the server still waits for must not look like an answer.
            for question in self.questions.values():
                self._post(jsonrpc.error(question.id, INTERNAL_ERROR, "The call this belongs to has ended."))
            self.questions.clear()
