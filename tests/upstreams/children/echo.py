"""Answers what it is told to, and remembers everything it hears."""

import os
import sys
from typing import Any

from wire import INFO, hear, say

heard: list[dict[str, Any]] = []


def act(message: dict[str, Any]) -> None:
    number, params = message.get("id"), message.get("params", {})
    match message.get("method"):
        case "initialize":
            say(id=number, result={**INFO, "instructions": "é \U0001f600", "unknown": 2**70})
        case "echo":
            say(id=number, result=params)
        case "pid":
            say(id=number, result=os.getpid())
        case "environment":
            say(id=number, result={"names": sorted(os.environ), "cwd": os.getcwd(), "args": sys.argv[1:]})
        case "heard":
            say(id=number, result=heard[:-1])
        case "steps":
            for step in params["steps"]:
                progress = {"progressToken": params["_meta"]["progressToken"], "progress": step}
                say(method="notifications/progress", params=progress)
            if params.get("end", True):
                say(id=number, result={})
        case "announce":
            for topic in params["topics"]:
                say(method="notifications/resources/updated", params={"uri": topic})
            say(id=number, result={})
        case "release":
            # Answers an older call, which may have been given up meanwhile, then this one.
            say(id=params["id"], result="late")
            say(id=number, result={})
        case "raw":
            sys.stdout.buffer.write(params["line"].encode("latin-1") + b"\n")
            sys.stdout.buffer.flush()


for each in hear():
    heard.append(each)
    act(each)
