"""Drives wrk against one endpoint and reads what it counted. Knows nothing of what stands behind the port."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import messages
from bench.messages import Endpoint

# Each request has its own id, of constant width: a session must not hold one id twice at a time.
_SCRIPT = """
local before, after = {before}, {after}
local id = 100000000
request = function()
  id = id + 1
  return before .. id .. after
end
local loader
setup = function(thread) loader = thread end
done = function(summary, latency)
  local e = summary.errors
  local wrong = loader:get('wrong') or 0
  if wrong > 0 then io.write('WRONG ', loader:get('sample'), '\\n') end
  io.write(string.format(
    'RESULT {{"calls":%d,"micros":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d,"late":%d,"wrong":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write, e.timeout, wrong))
end
"""
_READ_ANSWERS = """
wrong = 0
response = function(status, headers, body)
  if not string.find(body, {answer}, 1, true) then
    wrong = wrong + 1
    sample = string.gsub(string.sub(body, 1, 400), '[\\r\\n]', ' ')
  end
end
"""
_FIRST_ID = 100000000


class LoadError(Exception):
    """The load did not run clean: answers that were not 2xx, or connections that broke."""


@dataclass(frozen=True)
class Load:
    """What wrk saw: answered calls, their rate, latencies in microseconds."""

    calls: int
    calls_per_second: float
    p50_us: float
    p99_us: float


def run(endpoint: Endpoint, connections: int, seconds: float, core: int, *, read: bool = False) -> Load:
    """Keep `connections` busy for `seconds`. Raises `LoadError` if anything but a 2xx answer was seen.

    With `read`, every answer must also hold the upstream's text; that costs the load generator too much to be
    on while figures are taken.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        script = Path(folder, "call.lua")
        script.write_text(_script(endpoint, read))
        url = f"http://127.0.0.1:{endpoint.port}"
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
        argv = ["taskset", "-c", str(core), "wrk", *options, "-s", str(script), url]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 120, check=False)
    said = {word: rest for word, _, rest in (line.partition(" ") for line in done.stdout.splitlines())}
    if "RESULT" not in said:
        raise LoadError(f"wrk ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return _read(json.loads(said["RESULT"]), said.get("WRONG", ""))


def _read(seen: dict[str, int], sample: str) -> Load:
    if seen["refused"] or seen["broken"] or seen["late"] or not seen["calls"]:
        raise LoadError(
            f"{seen['calls']} answers, of these {seen['refused']} not 2xx; "
            f"{seen['broken']} connection errors, {seen['late']} over 60 s"
        )
    if seen["wrong"]:
        raise LoadError(
            f"{seen['wrong']} of {seen['calls']} answers are not the upstream's, such as: {sample}"
        )
    return Load(seen["calls"], seen["calls"] / (seen["micros"] / 1e6), seen["p50"], seen["p99"])


def _script(endpoint: Endpoint, read: bool) -> str:
    body = messages.tool_call(endpoint, _FIRST_ID)
    fields = {"Host": f"127.0.0.1:{endpoint.port}", **messages.headers(endpoint, "tools/call", endpoint.tool)}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**fields, "Content-Length": len(body)}.items())
    text = f"POST {endpoint.path} HTTP/1.1\r\n{head}\r\n{body.decode()}"
    before, after = text.split(str(_FIRST_ID))
    script = _SCRIPT.format(before=_lua(before), after=_lua(after))
    return script + _READ_ANSWERS.format(answer=_lua(messages.ANSWER)) if read else script


def _lua(text: str) -> str:
    """A Lua string literal: JSON's escapes of printable ASCII and line ends are Lua's too."""
    return json.dumps(text)
