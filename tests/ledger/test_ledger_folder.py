import os

import pytest
from ledger_support import build

from toolgate.errors import ConfigError
from toolgate.ledger.folder import claim, claimed


def mode(path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_folder_is_private(tmp_path):
    folder = tmp_path / "deep" / "ledger"
    os.close(claim(folder))
    assert mode(folder) == 0o700
    assert mode(folder / "lock") == 0o600


def test_an_empty_folder_is_made_private(tmp_path):
    (tmp_path / "ledger").mkdir(mode=0o755)
    os.close(claim(tmp_path / "ledger"))
    assert mode(tmp_path / "ledger") == 0o700


def test_a_folder_in_use_that_everybody_may_write_is_refused(tmp_path):
    folder = build(tmp_path / "ledger", 1)
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="every user"):
        claim(folder)


def test_a_folder_shared_with_a_group_is_left_as_it_is(tmp_path):
    """Kubernetes gives volumes a group (fsGroup)."""
    folder = build(tmp_path / "ledger", 1)
    folder.chmod(0o770)
    os.close(claim(folder))
    assert mode(folder) == 0o770


def test_a_second_claim_is_refused_and_a_later_one_is_not(tmp_path):
    lock = claim(tmp_path)
    with pytest.raises(ConfigError, match="in use by another gateway"):
        claim(tmp_path)
    os.close(lock)
    os.close(claim(tmp_path))


def test_a_claim_can_be_asked_about_without_taking_it(tmp_path):
    assert not claimed(tmp_path)
    lock = claim(tmp_path)
    assert claimed(tmp_path)
    os.close(lock)
    assert not claimed(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_a_config_error(tmp_path):
    (tmp_path / "ledger").touch()
    with pytest.raises(ConfigError, match="cannot be used as ledger"):
        claim(tmp_path / "ledger")


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        claim(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
