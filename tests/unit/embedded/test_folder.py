"""The stack's folder: one holder, private files, whole files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.embedded.errors import StackError
from app.embedded.folder import AlreadyRunning, StackFolder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "var")
    with folder.held():
        assert folder.supervisor_pid() == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"already running in {tmp_path}/var"), StackFolder(folder.root).held():
            pytest.fail("held twice")
        assert folder.supervisor_pid() == os.getpid()
    assert folder.supervisor_pid() is None


def test_a_folder_never_used_is_held_by_nobody(tmp_path: Path) -> None:
    assert StackFolder(tmp_path / "never").supervisor_pid() is None


def test_the_connection_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path)
    folder.write_connection({"api_key": "one"})
    folder.write_connection({"api_key": "two"})
    assert folder.read_connection() == {"api_key": "two"}
    assert mode(folder.connection_file) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["connection.json"]


def test_a_damaged_connection_file_counts_as_none(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path)
    folder.connection_file.write_text('{"api_')
    assert folder.read_connection() == {}


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    secret = StackFolder(tmp_path).secret()
    assert len(secret) == 64
    assert StackFolder(tmp_path).secret() == secret
    assert mode(tmp_path / "secret") == 0o600


def test_a_truncated_secret_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("abc")
    with pytest.raises(StackError, match="damaged"):
        StackFolder(tmp_path).secret()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="cannot create"):
        StackFolder(tmp_path / "file" / "var").create()
