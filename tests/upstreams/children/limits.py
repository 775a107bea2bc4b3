"""Says by which bounds it lives, and takes what it is told to take."""

import resource

from wire import INFO, hear, say

for each in hear():
    number, params = each.get("id"), each.get("params", {})
    match each.get("method"):
        case "initialize":
            say(id=number, result=INFO)
        case "bounds":
            say(
                id=number,
                result={
                    name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
                    for name in params["names"]
                },
            )
        case "spin":
            while True:
                pass
        case "take":
            try:
                held = bytearray(params["bytes"])
                say(id=number, result={"held": len(held)})
            except MemoryError:
                say(id=number, result={"held": 0})
