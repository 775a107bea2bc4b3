"""Rules about annotations and tags hold from the first call on, whether or not anybody has listed the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_support import Bank, Running, serve_bank

POLICY = """
version: 1
rules:
  - {id: readers, tools: ["bank/*"], when: tool.annotations.readOnlyHint, effect: allow}
  - {id: money, tools: ["bank/*"], when: '"money" in tool.tags', effect: allow}
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    bank = serve_bank()
    running = Running(tmp_path, bank.server_address[1], policy=POLICY)
    text = running.config.read_text()
    said = "tools: {transfer_funds: {tags: [money]}}"
    running.stop()
    running.config.write_text(text.replace("/mcp'}\n  dead", f"/mcp', {said}}}\n  dead"))
    running.start()
    yield running
    running.stop()
    bank.shutdown()
    bank.server_close()


def test_a_server_is_listed_before_the_first_call_that_needs_its_word(gateway: Running) -> None:
    def calls(name: str) -> bool:
        answer = gateway.modern("tools/call", {"name": name, "arguments": {}})[2]
        return "error" not in answer and "isError" not in answer["result"]

    Bank.seen.clear()
    assert calls("read_account")
    assert calls("transfer_funds")
    assert not calls("close_account")
    methods = [one["message"]["method"] for one in Bank.seen]
    assert methods.count("tools/list") == 1
    assert methods.count("tools/call") == 2
