import asyncio
import os
from contextlib import aclosing, asynccontextmanager

import pytest

from toolgate.config import watch
from toolgate.config.load import load
from toolgate.config.watch import changes, folders, stamps, watched

CONFIG = """
servers: {bank: {url: "http://bank.internal:9000/mcp"}}
identity: {anonymous: loopback}
policies: [policies/*.yaml]
"""


@pytest.fixture
def loaded(write, monkeypatch):
    monkeypatch.setattr(watch, "SETTLE_MS", 20)
    write("rules: []", "policies/a.yaml")
    return load(write(CONFIG))


@asynccontextmanager
async def watching(loaded):
    """What the next change is named, at most 5 s later."""
    async with aclosing(changes(lambda: loaded)) as found:
        yield lambda: asyncio.wait_for(anext(found), 5)


async def told(act, loaded):
    """What is named for `act`, done once the watch is running."""
    async with watching(loaded) as change:
        waiting = asyncio.ensure_future(change())
        await asyncio.sleep(0)
        act()
        return await waiting


async def test_a_file_written_in_place_is_a_change(loaded, write, tmp_path):
    assert await told(lambda: write(CONFIG + "# more"), loaded) == (str(tmp_path / "gateway.yaml"),)


async def test_a_file_renamed_over_the_old_one_is_a_change_each_time(loaded, write, tmp_path):
    file = tmp_path / "gateway.yaml"
    async with watching(loaded) as change:
        for _ in range(3):
            write(CONFIG, "gateway.yaml.new")
            os.replace(tmp_path / "gateway.yaml.new", file)
            assert await change() == (str(file),)


async def test_a_new_a_changed_and_a_removed_policy_are_changes(loaded, write, tmp_path):
    async with watching(loaded) as change:
        write("rules: []", "policies/b.yaml")
        assert "policies/*.yaml" in await change()
        write("rules: [] # more", "policies/b.yaml")
        assert await change() == (str(tmp_path / "policies/b.yaml"),)
        (tmp_path / "policies/b.yaml").unlink()
        assert await change() == ("policies/*.yaml",)


async def test_a_kubernetes_volume_that_swaps_its_data_is_a_change(write, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "SETTLE_MS", 20)
    mount = tmp_path / "mount"

    def publish(version, text):
        write(text, f"mount/..{version}/gateway.yaml")
        write("rules: []", f"mount/..{version}/a.yaml")
        os.symlink(f"..{version}", mount / "..data_tmp")
        os.replace(mount / "..data_tmp", mount / "..data")

    config = CONFIG.replace("policies/", "")
    publish("one", config)
    for name in ("gateway.yaml", "a.yaml"):
        os.symlink(f"..data/{name}", mount / name)
    loaded = load(str(mount / "gateway.yaml"))
    assert [file.name for file in watched(loaded).files] == ["gateway.yaml"]
    async with watching(loaded) as change:
        publish("two", config + "# two")
        assert set(await change()) >= {str(mount / "gateway.yaml")}
        publish("three", config + "# three")
        assert set(await change()) >= {str(mount / "gateway.yaml")}


async def test_what_lies_beside_the_files_is_no_change(loaded, write, tmp_path):
    async with watching(loaded) as change:
        write("x", "ledger/000001.log")
        write("x", "notes.txt")
        write("x", "policies/.a.yaml.swp")
        write(CONFIG + "# more")
        assert await change() == (str(tmp_path / "gateway.yaml"),)


async def test_a_change_between_reading_and_watching_is_not_lost(loaded, write, tmp_path):
    policy = tmp_path / "policies/a.yaml"
    while (
        policy.stat().st_ctime_ns <= loaded.read_at
    ):  # Times of files move on in ticks of some milliseconds.
        os.utime(policy)
    async with watching(loaded) as change:
        assert await change() == (str(policy),)


async def test_a_change_made_while_the_last_one_is_worked_on_is_not_lost(loaded, write, tmp_path):
    async with watching(loaded) as change:
        write(CONFIG + "# one")
        await change()
        write(CONFIG + "# two, while the reload runs")
        assert await change() == (str(tmp_path / "gateway.yaml"),)


async def test_files_that_a_reload_names_for_the_first_time_are_watched_from_then_on(loaded, write, tmp_path):
    write("rules: []", "elsewhere/z.yaml")
    now = loaded

    def reload():
        nonlocal now
        now = load("gateway.yaml")

    async with aclosing(changes(lambda: now)) as found:
        write(CONFIG.replace("policies/*", "elsewhere/*"))
        await asyncio.wait_for(anext(found), 5)
        reload()
        waiting = asyncio.ensure_future(anext(found))
        await asyncio.sleep(0)
        write("rules: [] # more", "elsewhere/z.yaml")
        assert str(tmp_path / "elsewhere/z.yaml") in await asyncio.wait_for(waiting, 5)


async def test_changes_are_seen_where_the_system_gives_no_watch(loaded, write, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_MS", 50)
    monkeypatch.setattr(watch, "folders", lambda these: (tmp_path / "gone",))
    assert await told(lambda: write(CONFIG + "# more"), loaded) == (str(tmp_path / "gateway.yaml"),)


async def test_a_set_stop_ends_the_watch(loaded):
    stop = asyncio.Event()

    async def follow():
        async for _ in changes(lambda: loaded, stop=stop):
            pass

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_a_cancelled_watch_is_over_at_once(loaded):
    async def follow():
        async for _ in changes(lambda: loaded):
            pass

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


def test_every_file_the_gateway_was_made_from_is_watched(write, tmp_path):
    for name in ("tls/cert.pem", "tls/key.pem", "keys/jwks.json", "secrets/token", "policies/a.yaml"):
        write("x", name)
    loaded = load(
        write("""
servers: {bank: {url: "http://b/mcp", headers: {Authorization: "${file:secrets/token}"}}}
tls: {cert: tls/cert.pem, key: tls/key.pem}
identity:
  issuers:
    - {issuer: "https://i", audience: a, jwks: keys/jwks.json}
    - {issuer: "https://j", audience: a, jwks: "https://j/keys"}
policies: [policies/*.yaml]
""")
    )
    these = watched(loaded)
    assert [str(file.relative_to(tmp_path)) for file in these.files] == [
        "gateway.yaml",
        "secrets/token",
        "tls/cert.pem",
        "tls/key.pem",
        "keys/jwks.json",
    ]
    assert folders(these) == tuple(
        tmp_path / name if name else tmp_path for name in ("", "keys", "policies", "secrets", "tls")
    )
    assert set(stamps(these)) == {
        *map(str, these.files),
        "policies/*.yaml",
        str(tmp_path / "policies/a.yaml"),
    }


def test_both_sides_of_a_link_are_watched(write, tmp_path):
    write("rules: []", "policies/a.yaml")
    write(CONFIG.replace("policies/", "../policies/"), "real/gateway.yaml")
    (tmp_path / "linked").mkdir()
    os.symlink("../real/gateway.yaml", tmp_path / "linked/gateway.yaml")
    places = folders(watched(load("linked/gateway.yaml")))
    assert tmp_path / "linked" in places
    assert tmp_path / "real" in places
