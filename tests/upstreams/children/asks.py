"""Asks the client something in the middle of a call, and answers with what it was told."""

from typing import Any

from wire import say, serve

waiting: list[int] = []
answers: list[dict[str, Any]] = []


def act(message: dict[str, Any]) -> None:
    number, method = message.get("id"), message.get("method")
    if method == "ask":
        waiting.append(number)  # type: ignore[arg-type]
        say(id="question", method=message["params"]["what"], params={"message": "Sure?"})
    elif method == "withdraw":
        waiting.append(number)  # type: ignore[arg-type]
        say(id="question", method="elicitation/create", params={})
        say(method="notifications/cancelled", params={"requestId": "question"})
        say(id=waiting.pop(), result={})
    elif method == "answers":
        say(id=number, result=answers)
    elif method is None:
        answers.append(message)
        if waiting:
            say(id=waiting.pop(), result={key: message[key] for key in ("result", "error") if key in message})


serve(act)
