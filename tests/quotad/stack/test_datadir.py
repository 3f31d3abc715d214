import os
import stat
from pathlib import Path

import pytest

from quotad.stack.datadir import hold, write_private
from quotad.stack.errors import StackError


def test_a_data_directory_in_use_names_the_process_that_uses_it(tmp_path: Path) -> None:
    with (
        hold(tmp_path / "data"),
        pytest.raises(StackError, match=rf"in use .*process {os.getpid()}\)"),
        hold(tmp_path / "data"),
    ):
        pass


def test_a_data_directory_is_free_again_after_its_holder(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path / "data") as directory:
            assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700


def test_a_data_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StackError, match="cannot be used: Not a directory; choose another"),
        hold(tmp_path / "file" / "data"),
    ):
        pass


def test_a_private_file_is_replaced_whole_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    for content in ("old", "new"):
        write_private(tmp_path / "stack.json", content)
    assert (tmp_path / "stack.json").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]
