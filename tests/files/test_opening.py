"""Inputs and outputs by path or as open files."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from neurocodec.errors import InputError, UsageError
from neurocodec.files.opening import name_of, opened_input, opened_output, refuse_same_file


class Place(os.PathLike[str]):
    """A path whose text is something else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


def test_any_kind_of_path_is_written_where_it_says(tmp_path: Path) -> None:
    with opened_output(Place(tmp_path / "out"), force=False) as file:
        file.write(b"here")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    with opened_input(Place(tmp_path / "out")) as (file, name):
        assert file.read() == b"here" and name == str(tmp_path / "out")


def test_open_files_are_taken_as_they_are() -> None:
    file = io.BytesIO(b"data")
    with opened_input(file) as (same, name):
        assert same is file and name == "input"
    with opened_output(file, force=False) as again:
        assert again is file
    assert not file.closed and name_of(file) == "the output"


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"), opened_input(tmp_path):
        pass
    with pytest.raises(InputError, match="cannot read"), opened_input(tmp_path / "nothing"):
        pass
    (tmp_path / "a").touch()
    with pytest.raises(UsageError, match="same file"):
        refuse_same_file(tmp_path / "a", str(tmp_path / "a"))
    refuse_same_file(tmp_path / "a", tmp_path / "b")
