"""`emargin data`: exit status, and an explanation instead of a traceback."""

import hashlib
from dataclasses import replace

import pytest

from companion.__main__ import main
from companion.fetch import archives as fetch
from companion.fetch import sources
from companion.fetch.sources import public_of
from emargin.data.catalogue import SETS


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    return tmp_path


def test_list_is_a_table_of_all_sets(capsys):
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "data", "size", "licence", "where"]
    assert [line.split()[0] for line in lines[1:]] == [entry.name for entry in SETS]
    assert {"harth", "sleepeeg", "ecg", "mitbih", "dsads", "spsw-har", "sleepedf-features"} <= {
        entry.name for entry in SETS
    }


def test_verify_is_0_for_the_published_files_and_2_for_others(data, capsys, monkeypatch):
    monkeypatch.setitem(sources.FILES, "ecg", frozenset({"RECORDS"}))
    (data / "ecg").mkdir()
    (data / "ecg" / "RECORDS").write_bytes(b"100\n")
    (data / "ecg" / "SHA256SUMS.txt").write_text(f"{hashlib.sha256(b'100' + bytes([10])).hexdigest()} RECORDS\n")
    assert main(["data", "verify", "ecg"]) == 0
    (data / "ecg" / "RECORDS").write_bytes(b"101\n")
    assert main(["data", "verify", "ecg"]) == 2
    assert "RECORDS: not the published file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "harth"], "harth is not here"),
        (["verify", "nope"], "no public data set of this name"),
        (["fetch", "nope"], "no public data set of this name"),
        (["fetch", "sleepedf-features"], "cannot be fetched"),
    ],
)
def test_bad_input_is_explained_with_status_2(arguments, message, capsys):
    assert main(["data", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["harth", "sleepeeg", "sleepedf", "ecg", "mitbih", "dsads", "spsw-har", "ucr-Adiac"])
def test_without_a_connection_fetch_gives_the_manual_steps(name, data, monkeypatch, capsys):
    pytest.importorskip("pooch")
    entry = public_of(name)
    entry = replace(entry, download=replace(entry.download, address="http://127.0.0.1:1/"))
    monkeypatch.setattr(fetch, "public_of", lambda name: entry)
    assert main(["data", "fetch", name]) == 2
    message = capsys.readouterr().err
    assert "cannot be downloaded" in message and "Traceback" not in message
    assert "by hand: get http://127.0.0.1:1/" in message and f"emargin data verify {name}" in message
    assert [path for path in data.rglob("*") if path.is_file()] == []
