import asyncio
import os
import shutil
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


class Watch:
    """One stream of changes, each waited for at most 5 s."""

    def __init__(self, found):
        self._found = found

    async def next(self):
        return await asyncio.wait_for(anext(self._found), 5)

    async def after(self, *acts):
        """What is named for acts done while the stream is being waited for."""
        waiting = asyncio.ensure_future(self.next())
        # Without a pause in between, the stream goes on until it waits for the system's next event.
        for _ in range(3):
            await asyncio.sleep(0)
        for act in acts:
            act()
        return await waiting


@asynccontextmanager
async def watching(current):
    async with aclosing(changes(current)) as found:
        yield Watch(found)


async def test_a_file_written_in_place_is_a_change(loaded, write, tmp_path):
    async with watching(lambda: loaded) as watch:
        assert await watch.after(lambda: write(CONFIG + "# more")) == (str(tmp_path / "gateway.yaml"),)


async def test_a_file_renamed_over_the_old_one_is_a_change_each_time(loaded, write, tmp_path):
    def replace():
        write(CONFIG, "gateway.yaml.new")
        os.replace("gateway.yaml.new", "gateway.yaml")

    async with watching(lambda: loaded) as watch:
        for _ in range(3):
            assert await watch.after(replace) == (str(tmp_path / "gateway.yaml"),)


async def test_a_new_a_changed_and_a_removed_policy_are_changes(loaded, write, tmp_path):
    policy = tmp_path / "policies/b.yaml"
    async with watching(lambda: loaded) as watch:
        assert await watch.after(lambda: write("rules: []", "policies/b.yaml")) == (
            "policies/*.yaml",
            str(policy),
        )
        assert await watch.after(lambda: write("rules: [] # more", "policies/b.yaml")) == (str(policy),)
        assert await watch.after(policy.unlink) == ("policies/*.yaml",)


async def test_a_kubernetes_volume_that_swaps_its_data_is_a_change_each_time(write, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "SETTLE_MS", 20)
    mount = tmp_path / "mount"
    config = CONFIG.replace("policies/*.yaml", "'a*.yaml'")

    def publish(version):
        write(f"{config}# {version}", f"mount/..{version}/gateway.yaml")
        write("rules: []", f"mount/..{version}/a.yaml")
        os.symlink(f"..{version}", mount / "..data_tmp")
        os.replace(mount / "..data_tmp", mount / "..data")

    def retire(version):
        shutil.rmtree(mount / f"..{version}")

    publish("one")
    for name in ("gateway.yaml", "a.yaml"):
        os.symlink(f"..data/{name}", mount / name)
    loaded = load("mount/gateway.yaml")
    names = (str(mount / "gateway.yaml"), str(mount / "a.yaml"))
    async with watching(lambda: loaded) as found:
        assert await found.after(lambda: publish("two"), lambda: retire("one")) == names
        assert await found.after(lambda: publish("three"), lambda: retire("two")) == names


async def test_what_lies_beside_the_files_is_no_change(loaded, write, tmp_path):
    def write_all():
        for name in ("ledger/000001.log", "notes.txt", "policies/.a.yaml.swp"):
            write("x", name)
        write(CONFIG + "# more")

    async with watching(lambda: loaded) as watch:
        assert await watch.after(write_all) == (str(tmp_path / "gateway.yaml"),)


async def test_a_change_between_reading_and_watching_is_not_lost(loaded, tmp_path):
    policy = tmp_path / "policies/a.yaml"
    while (
        policy.stat().st_ctime_ns <= loaded.read_at
    ):  # Times of files move on in ticks of some milliseconds.
        os.utime(policy)
    async with watching(lambda: loaded) as watch:
        assert await watch.next() == (str(policy),)


async def test_a_change_made_while_the_last_one_is_worked_on_is_not_lost(loaded, write, tmp_path):
    async with watching(lambda: loaded) as watch:
        await watch.after(lambda: write(CONFIG + "# one"))
        write(CONFIG + "# two, while the reload runs")
        assert await watch.next() == (str(tmp_path / "gateway.yaml"),)


async def test_files_that_a_reload_names_for_the_first_time_are_watched_from_then_on(loaded, write, tmp_path):
    policy = tmp_path / "elsewhere/z.yaml"
    write("rules: []", "elsewhere/z.yaml")
    now = loaded
    async with watching(lambda: now) as watch:
        await watch.after(lambda: write(CONFIG.replace("policies/*", "elsewhere/*")))
        now = load("gateway.yaml")
        assert await watch.after(lambda: write("rules: [] # more", "elsewhere/z.yaml")) == (str(policy),)


async def test_changes_are_seen_where_the_system_gives_no_watch(loaded, write, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_MS", 50)
    monkeypatch.setattr(watch, "folders", lambda these: (tmp_path / "gone",))
    async with watching(lambda: loaded) as found:
        assert await found.after(lambda: write(CONFIG + "# more")) == (str(tmp_path / "gateway.yaml"),)


async def test_a_set_stop_ends_the_watch(loaded):
    stop = asyncio.Event()
    async with aclosing(changes(lambda: loaded, stop=stop)) as found:
        waiting = asyncio.ensure_future(anext(found, "ended"))
        await asyncio.sleep(0)
        stop.set()
        assert await asyncio.wait_for(waiting, 5) == "ended"


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
