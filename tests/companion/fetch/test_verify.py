"""Verifying and listing: small files with checksums of their own, the published tables, and real sets if at hand."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from companion.fetch import sources, verify
from companion.fetch.sources import NIGHTS, public_of
from emargin.config import Experiment
from emargin.data import checksums
from emargin.data.catalogue import SETS
from emargin.data.loading import checksum_of
from emargin.data.readers.harth import SUBJECTS
from emargin.data.readers.sleepedf import PSG_NAME
from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError, MissingData
from emargin.paths import home

REAL = Path(os.environ.get("EMARGIN_DATA") or "data")


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    """The folder of the real data sets, none there yet."""
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    return tmp_path


def test_git_s_checksum_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    assert verify.git_blob(tmp_path / "a") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    (tmp_path / "a").write_bytes(b"what is up, doc?")
    assert verify.git_blob(tmp_path / "a") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_s_checksum_is_git_s(tmp_path):
    (tmp_path / "a").write_bytes(b"1,2\r\n" * 100_000)
    git = subprocess.run(["git", "hash-object", "--no-filters", str(tmp_path / "a")], capture_output=True, text=True)
    assert verify.git_blob(tmp_path / "a") == git.stdout.strip()


def test_mitbih_has_the_checksum_of_its_rows_by_the_files_that_are_read():
    """The rows were made while its list of checksums counted, too: both follow from what was published."""
    table = verify.published(public_of("mitbih"))
    listing = hashlib.sha256("".join(f"{table[name]} {name}\0" for name in sorted(table)).encode()).hexdigest()
    read = sorted(table.keys() - {verify.SUMS})
    (made_of, known_as), *others = checksums.KNOWN_AS.items()
    assert made_of == hashlib.sha256("".join(f"{table[name]} {name}\0" for name in read).encode()).hexdigest()
    assert known_as == listing and not others


@pytest.mark.skipif(not (REAL / "mitbih").is_dir(), reason="needs MIT-BIH")
def test_rows_of_mitbih_hold_whatever_lies_beside_its_files(data):
    records = json.loads((home() / "results" / "grid" / "provenance.json").read_text()).values()
    rows = {record["data"] for record in records if record["experiment"]["dataset"] == "mitbih"}
    for path in (REAL / "mitbih").iterdir():
        (data / "mitbih").mkdir(exist_ok=True)
        (data / "mitbih" / path.name).symlink_to(path)
    for listed in (True, False):
        assert {checksum_of(Experiment(dataset="mitbih", source="real"))} == rows, listed
        (data / "mitbih" / verify.SUMS).unlink(missing_ok=True)


def test_the_published_tables_hold_22_people_and_153_nights(data):
    assert list(verify.published(public_of("harth"))) == [f"{subject}.csv" for subject in SUBJECTS]
    nights = verify.published(NIGHTS)
    records = {name[:7] for name in nights if PSG_NAME.fullmatch(name)}
    hypnograms = {name[:7] for name in nights if re.fullmatch(r"SC4\d{3}[A-Z]{2}-Hypnogram\.edf", name)}
    assert len(nights) == 306 and len(records) == 153 and records == hypnograms
    assert {len(digest) for digest in nights.values()} == {64}


HARTH = {"S006.csv": b"six", "S008.csv": b"eight"}


@pytest.fixture
def harth(data, monkeypatch):
    (data / "harth").mkdir()
    for name, content in HARTH.items():
        (data / "harth" / name).write_bytes(content)
    table = {name: verify.git_blob(data / "harth" / name) for name in HARTH}
    monkeypatch.setattr(verify, "published", lambda entry: table)
    return data / "harth"


def test_a_set_as_published_has_no_problems(harth, capsys):
    (harth / ".DS_Store").touch()
    assert verify.verify("harth") == []
    assert "harth: 2 of 2 published files" in capsys.readouterr().out


def test_each_problem_names_the_file_what_was_found_what_is_wanted_and_what_to_do(harth, capsys):
    (harth / "S006.csv").write_bytes(b"sic")
    (harth / "S008.csv").unlink()
    (harth / "S031.csv").touch()
    wrong, missing, extra = verify.verify("harth")
    assert wrong == (
        f"{harth}/S006.csv: not the published file. Found: {verify.git_blob(harth / 'S006.csv')}. "
        f"Wanted: {hashlib.sha1(b'blob 3' + bytes(1) + b'six').hexdigest()}. What to do: delete "
        f"{harth} and run emargin data fetch harth."
    )
    assert re.fullmatch(rf"{harth}/S008.csv: missing. Wanted: \w{{40}}. What to do: delete {harth} and .*", missing)
    assert extra == f"{harth}/S031.csv: not a file of the set. What to do: move it to another folder."
    assert capsys.readouterr().out.splitlines()[1:] == [wrong, missing, extra]


@pytest.fixture
def afdb(data, monkeypatch):
    """Two records, one without signals, and a list that names other files, too."""
    folder = data / "ecg"
    folder.mkdir()
    files = {"RECORDS": b"100", "100.hea": b"h", "100.dat": b"d", "100.atr": b"a", "101.hea": b"i", "101.atr": b"b"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.setitem(sources.FILES, "ecg", frozenset(files))
    listed = files | {"100.xws": b"", "100-0.atr": b"", "x_mitdb/x_100.hea": b"", "x_mitdb/RECORDS": b""}
    (folder / "SHA256SUMS.txt").write_text(
        "".join(f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in listed.items())
    )
    return folder


def test_physionet_s_list_beside_the_files_says_what_belongs_to_a_set(afdb, capsys):
    assert verify.verify("ecg-released") == []
    assert (
        "ecg: not verified by anything but what came with it; this set was not fetched here" in capsys.readouterr().out
    )
    (afdb / "101.atr").unlink()
    (afdb / "100.dat").write_bytes(b"D")
    assert [problem.split(". ")[0] for problem in verify.verify("ecg")] == [
        f"{afdb}/100.dat: not the published file",
        f"{afdb}/101.atr: missing",
    ]
    (afdb / "SHA256SUMS.txt").unlink()
    with pytest.raises(MissingData, match="SHA256SUMS.txt: missing"):
        verify.verify("ecg")


def test_a_list_that_was_cut_at_a_line_is_no_list_of_a_whole_set(afdb):
    lines = (afdb / "SHA256SUMS.txt").read_text().splitlines(keepends=True)
    for count in range(6):
        (afdb / "SHA256SUMS.txt").write_text("".join(lines[:count]))
        with pytest.raises(InputError, match=f"not the whole list.* found: {count} files.* wanted: 6 files"):
            verify.verify("ecg")


def test_a_list_with_two_checksums_for_a_file_is_refused(afdb):
    with (afdb / "SHA256SUMS.txt").open("a") as file:
        file.write(f"{'a' * 64} 100.dat\n")
    with pytest.raises(InputError, match="line 11: a second checksum for 100.dat"):
        verify.verify("ecg")


@pytest.mark.parametrize("text", ["<html>\n", "abc 100.hea\n", f"{'g' * 64} 100.hea\n", f"{'a' * 64}\n"])
def test_a_list_that_is_none_is_refused_by_its_line(afdb, text):
    (afdb / "SHA256SUMS.txt").write_text(f"{'a' * 64} *100.hea\n{text}")
    with pytest.raises(InputError, match="SHA256SUMS.txt, line 2: no checksum"):
        verify.verify("ecg")


def test_of_sleep_edf_there_may_be_some_nights_each_with_both_files(data, monkeypatch):
    names = ["SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf", "SC4002E0-PSG.edf", "SC4002EC-Hypnogram.edf"]
    digest = hashlib.sha256(b"").hexdigest()
    monkeypatch.setattr(verify, "published", lambda entry: dict.fromkeys(names, digest))
    folder = data / "sleepeeg"
    folder.mkdir()
    assert "no night" in verify.verify("sleepedf")[0]
    for name in names[:2]:
        (folder / name).touch()
    assert verify.verify("sleepedf") == verify.verify("sleepeeg") == []
    (folder / names[3]).touch()
    (missing,) = verify.verify("sleepedf")
    assert missing.startswith(f"{folder}/{names[2]}: missing")


def test_a_set_without_published_checksums_is_read_and_described(data, capsys):
    folder = data / "ucr" / "Small"
    folder.mkdir(parents=True)
    (folder / "Small_TRAIN.tsv").write_text("2\t" + "\t".join(map(str, range(20))) + "\n")
    (folder / "Small_TEST.tsv").write_text(("1\t" + "\t".join(map(str, range(20))) + "\n") * 3)
    assert verify.verify("ucr-Small") == []
    out = capsys.readouterr().out
    assert "no checksums were published" in out and "4 of 2 subjects" in out
    assert "20 to 20 samples at 1 Hz, 80 in all" in out and "labels      1 60, 2 20, unlabelled 0" in out
    (folder / "Small_TEST.tsv").write_text("1\tx\n")
    with pytest.raises(InputError, match="Small_TEST.tsv"):
        verify.verify("ucr-Small")


@pytest.mark.parametrize("name", ["harth", "sleepedf", "ecg", "ucr-Small", "dsads"])
def test_a_set_that_is_not_there_says_how_to_get_it(name):
    with pytest.raises(MissingData, match=f"{name} is not here.*emargin data fetch {name}"):
        verify.verify(name)


@pytest.mark.parametrize("name", ["nope", "ecg-sim", "ucr-..", "ucr-a/b"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InputError, match="no public data set of this name"):
        verify.verify(name)


def test_the_overview_says_what_is_there_and_reads_no_content(afdb, data, monkeypatch):
    (data / "ucr" / "Small").mkdir(parents=True)
    (data / "dsads").mkdir()
    (data / "dsads" / "p1.npz").write_bytes(bytes(2_500_000))
    monkeypatch.setattr(Path, "open", lambda *arguments, **options: pytest.fail("a file was opened"))
    rows = {row[0]: row for row in (re.split(r" {2,}", line) for line in verify.overview().splitlines())}
    assert rows["harth"] == ["harth", "simulated", "CC BY 4.0", "emargin data fetch harth"]
    assert rows["spsw-har"][1] == "missing"
    assert rows["ecg"][1] == "real" and rows["ecg"][-1] == str(afdb)
    assert rows["dsads"] == ["dsads", "real", "2.5 MB", "CC BY 4.0", str(data / "dsads")]
    assert rows["ucr-Small"][1:3] == ["real", "0.0 MB"]
    assert set(rows) == {"name", *(entry.name for entry in SETS), "ucr-Small"}


@pytest.mark.skipif(not (REAL / "mitbih").is_dir(), reason="needs the real mitbih under EMARGIN_DATA")
def test_the_real_mitbih_is_the_published_one(monkeypatch, capsys):
    monkeypatch.setenv("EMARGIN_DATA", str(REAL))
    assert verify.verify("mitbih") == []
    assert "146 of 146 published files" in capsys.readouterr().out


@pytest.mark.skipif(not (REAL / "sleepedf-features").is_dir(), reason="needs sleepedf-features under EMARGIN_DATA")
def test_the_real_features_of_sleep_are_described(monkeypatch, capsys):
    monkeypatch.setenv("EMARGIN_DATA", str(REAL))
    assert verify.verify("sleepedf-features") == []
    out = capsys.readouterr().out
    assert "20 of 10 subjects" in out and "52647 in all" in out and "72 features" in out
    assert "W 35994, N1 1643, N2 8462, N3 3025, REM 3523, unlabelled 0" in out


def test_counts_of_labels_put_the_unlabelled_apart():
    values = np.arange(6.0, dtype=np.float32)[:, None]
    recordings = RecordingSet(
        "own",
        "real",
        ("a", "b"),
        50.0,
        (
            Recording("x", "p", values, np.array([0, 0, 0, 1, -1, -1])),
            Recording("y", "p", values[:2], np.array([1, 1])),
        ),
    )
    text = verify.description(recordings, "abc")
    assert "labels      a 3, b 3, unlabelled 2" in text and "2 to 6 samples at 50 Hz, 8 in all" in text
    assert "2 of 1 subjects" in text and "1 channels" in text
