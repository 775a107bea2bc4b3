import json

import pytest
from ledger_support import build, lines
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.ledger.inbox import waiting
from toolgate.ledger.segments import segments


@pytest.fixture
def folder(tmp_path):
    return build(tmp_path / "ledger", 20, segment_bytes=1500)


def run(folder, *options):
    return CliRunner().invoke(app, ["ledger", "export", str(folder), *options])


def documents(folder, *options) -> list[dict]:
    return [json.loads(line) for line in run(folder, *options).output.splitlines()]


def test_every_record_is_exported_with_its_number_and_hash(folder):
    found = documents(folder)
    assert [one["seq"] for one in found] == list(range(1, 21))
    assert [one["hash"] for one in found] == [json.loads(line)["hash"] for line in lines(folder)]


@pytest.mark.parametrize(("form", "key"), [("ocsf", "class_uid"), ("ecs", "@timestamp")])
def test_in_the_form_that_is_asked_for(folder, form, key):
    found = documents(folder, "--form", form)
    assert len(found) == 20
    assert all(key in one for one in found)


def test_cef_is_a_line_a_record(folder):
    assert all(line.startswith("CEF:0|") for line in run(folder, "--form", "cef").output.splitlines())


def test_of_a_period_the_end_is_not_in_it(folder):
    found = documents(folder, "--since", "2026-11-25T10:00:05Z", "--until", "2026-11-25T10:00:08Z")
    assert [one["id"] for one in found] == ["call-5", "call-6", "call-7"]


def test_an_export_with_a_hole_says_so(folder):
    path = segments(folder)[1].path
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    done = run(folder)
    assert done.exit_code == 1
    assert "NOT whole" in done.stderr
    assert path.name in done.stderr


def test_exporting_is_noted_for_the_record(folder):
    run(folder, "--form", "ocsf")
    ((_, note),) = waiting(folder)
    assert (note.method, note.arguments["records"], note.arguments["form"]) == ("ledger/read", 20, "ocsf")


@pytest.mark.parametrize("options", [["--form", "xml"], ["--since", "yesterday"]])
def test_bad_input_is_named(folder, options):
    assert run(folder, *options).exit_code == 2
