"""Answers the handshake in a way named on the command line."""

import sys

from wire import INFO, hear, say

for message in hear():
    match sys.argv[1]:
        case "error":
            say(id=message["id"], error={"code": -32602, "message": "no"})
        case "future":
            say(id=message["id"], result={**INFO, "protocolVersion": "2999-01-01"})
        case "silent":
            pass
