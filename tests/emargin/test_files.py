"""Files are written whole or not at all, under names of no other process, and what a kill leaves is cleared."""

import os
import signal
import time

import pytest

from emargin import files
from emargin.errors import Unwritable
from emargin.files import clear, unfinished, write_bytes
from emargin.rows import writable_folder


def in_another_process(work):
    """Return the number of a process that does some work, and then waits."""
    ready, says = os.pipe()
    number = os.fork()
    if not number:
        with work():
            os.write(says, b"1")
            time.sleep(60)
        os._exit(0)
    assert os.read(ready, 1)
    return number


def kill(number):
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)


@pytest.mark.parametrize("make", [files.FILE, files.Path.mkdir])
def test_what_a_killed_process_left_is_cleared_and_what_one_that_lives_holds_is_not(tmp_path, make):
    number = in_another_process(lambda: unfinished(tmp_path / "frames", make))
    try:
        (tmp_path / "mine.part").touch()
        for part in tmp_path.iterdir():
            os.utime(part, (1, 1))  # for years
        clear(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2
    finally:
        kill(number)
    (part,) = tmp_path.glob(".*.part")
    if part.is_dir():
        (part / "frames.npy").touch()
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.part"]


@pytest.mark.parametrize("system", ["no module for locks", "a file system without them"])
def test_without_locks_the_age_decides(system, tmp_path, monkeypatch):
    def none(descriptor, operation):
        raise OSError("no locks available")

    if system == "no module for locks":
        monkeypatch.setattr(files, "fcntl", None)
    else:
        monkeypatch.setattr(files.fcntl, "flock", none)
    for name, age in (("a", 0), ("b", 2 * files.DAY)):
        path = tmp_path / files.UNFINISHED.format(name)
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".emargin-a.part"]
    write_bytes(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_two_processes_of_one_number_write_beside_one_target(tmp_path, monkeypatch):
    """As containers do that share a folder."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    with unfinished(tmp_path / "rows.csv") as one, unfinished(tmp_path / "rows.csv") as two:
        assert one != two
        one.write_bytes(b"one")
        two.write_bytes(b"two")
        assert one.read_bytes() == b"one"


def test_content_is_on_the_disk_before_it_has_its_name_and_the_name_thereafter(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        done.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")).split("-")[0])
        assert os.fstat(descriptor).st_size
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("rename"), replace(*names)))
    write_bytes(tmp_path / "rows.csv", b"content")
    assert done == [".emargin", "rename", tmp_path.name.split("-")[0]]


def test_a_folder_that_is_made_outlasts_a_power_cut_too(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr("emargin.rows.names_to_disk", lambda folder: done.append(folder))
    writable_folder(tmp_path / "a" / "b")
    assert done == [tmp_path / "a", tmp_path]
    writable_folder(tmp_path / "a" / "b")
    assert len(done) == 2


@pytest.mark.parametrize("name", ["x" * 300, "no folder/file"])
def test_what_cannot_be_written_is_named(tmp_path, name):
    with pytest.raises(Unwritable, match=f"{name} cannot be written. found: .*. wanted: .*. what to do: "):
        write_bytes(tmp_path / name, b"content")
    assert list(tmp_path.iterdir()) == []
