import pytest

from toolgate.config.globs import expand, folder_of


@pytest.fixture
def folder(tmp_path):
    for name in ("b.yaml", "a.yaml", "c.yml", ".hidden.yaml", "..data/a.yaml", "d.yaml/inside"):
        file = tmp_path / "policies" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


def names(pattern, folder):
    return [file.name for file in expand(pattern, folder)]


def test_a_pattern_stands_for_its_files_in_order(folder):
    assert names("./policies/*.yaml", folder) == ["a.yaml", "b.yaml"]
    assert names("policies/[ac].*", folder) == ["a.yaml", "c.yml"]
    assert names(f"{folder}/policies/?.yaml", folder.parent) == ["a.yaml", "b.yaml"]


def test_hidden_copies_of_editors_and_volumes_do_not_count_twice(folder):
    assert ".hidden.yaml" not in names("policies/*", folder)
    assert names("policies/.*.yaml", folder) == [".hidden.yaml"]


def test_a_pattern_without_wildcards_is_a_path(folder):
    assert names("policies/b.yaml", folder) == ["b.yaml"]


@pytest.mark.parametrize(
    "pattern",
    ["policies/*.json", "policies/z.yaml", "policies/", "policies", "nowhere/*.yaml", "policies/d.yaml"],
)
def test_a_pattern_that_matches_no_file_is_an_error(folder, pattern):
    with pytest.raises(ValueError, match=r"^no file matches\.$"):
        expand(pattern, folder)


@pytest.mark.parametrize("pattern", ["*/a.yaml", "**/*.yaml", "pol?cies/a.yaml"])
def test_wildcards_in_folders_are_refused(folder, pattern):
    with pytest.raises(ValueError, match="wildcards are for the file's name only"):
        expand(pattern, folder)


def test_a_nul_character_is_no_path(folder):
    with pytest.raises(ValueError, match="NUL"):
        expand("a\0*.yaml", folder)


def test_the_folder_of_a_pattern_is_known_before_any_file_is_there(tmp_path):
    assert folder_of("./later/*.yaml", tmp_path) == tmp_path / "later"
    assert folder_of("*.yaml", tmp_path) == tmp_path
    assert str(folder_of("/*.yaml", tmp_path)) == "/"
