"""Artefacts on a disk: named by what they hold."""

import hashlib
from pathlib import Path

import pytest

from adapters.artefacts import ArtefactFolder
from domain.refusals import ArtefactMismatch, ArtefactNotFound, InvalidInput

CONTENT = b"a model" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "yet"


def file_of(folder: Path, name: str) -> Path:
    return folder / name[:2] / name


def test_what_is_put_is_given_under_its_hash(folder: Path) -> None:
    name = ArtefactFolder(folder).put(CONTENT)
    assert name == hashlib.sha256(CONTENT).hexdigest()
    assert ArtefactFolder(folder).get(name) == CONTENT
    assert file_of(folder, name).read_bytes() == CONTENT


def test_putting_it_again_changes_nothing_and_leaves_nothing_beside(folder: Path) -> None:
    store = ArtefactFolder(folder)
    name = store.put(CONTENT)
    before = file_of(folder, name).stat().st_mtime_ns
    assert store.put(CONTENT) == name
    assert file_of(folder, name).stat().st_mtime_ns == before
    assert [each.name for each in folder.rglob("*") if each.is_file()] == [name]


def test_a_flipped_bit_is_refused_by_name_and_mended_by_putting_it_again(folder: Path) -> None:
    store = ArtefactFolder(folder)
    name = store.put(CONTENT)
    spoilt = bytearray(CONTENT)
    spoilt[300] ^= 1
    file_of(folder, name).write_bytes(spoilt)
    with pytest.raises(ArtefactMismatch, match=name):
        store.get(name)
    assert store.put(CONTENT) == name
    assert store.get(name) == CONTENT


def test_a_file_cut_short_is_refused(folder: Path) -> None:
    store = ArtefactFolder(folder)
    name = store.put(CONTENT)
    file_of(folder, name).write_bytes(CONTENT[:-1])
    with pytest.raises(ArtefactMismatch):
        store.get(name)


def test_what_is_not_there_says_what_to_do(folder: Path) -> None:
    with pytest.raises(ArtefactNotFound, match="FAIRBOOK_ARTEFACTS"):
        ArtefactFolder(folder).get("ab" * 32)


@pytest.mark.parametrize("name", ["", "ab", "../" * 20 + "abcd", "AB" * 32, "ab" * 32 + "\n"])
def test_a_name_that_is_no_hash_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        ArtefactFolder(folder).get(name)
