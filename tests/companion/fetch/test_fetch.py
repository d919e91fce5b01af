"""Fetching, from a server on this machine: whole, resumed, refused and wrong downloads, and hostile archives."""

import functools
import hashlib
import http.server
import io
import json
import re
import resource
import stat
import struct
import threading
import zipfile
from dataclasses import replace
from pkgutil import resolve_name

import numpy as np
import pytest
import torch

from companion.fetch import archives as fetch
from companion.fetch import convert, download, sources, transfer
from companion.fetch.convert import SPSW_EXECUTIONS, SPSW_HEADER
from companion.fetch.verify import git_blob
from emargin.data import catalogue
from emargin.data.readers.npz import load_folder
from emargin.data.readers.ucr import load_ucr
from emargin.errors import InputError

pytest.importorskip("pooch")

BODY = bytes(range(256)) * 3000  # several blocks of a download


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; `server.ranges` says whether by parts, `server.cut` after how many bytes to hang up.

    `server.shift` moves the part that was asked for.
    """

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if start >= len(body) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            start += self.server.shift
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:][: self.server.cut])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked, server.ranges, server.cut, server.shift = {}, [], True, None, 0
        server.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    """The folder of the real data sets, none there yet."""
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def left(folder):
    """Files at any depth, hidden and half-written ones, too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def checksum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def move(monkeypatch, name, address, **fields):
    """Let the catalogue have another address, or other ways, for a set."""
    entry = sources.public_of(name)
    changed = replace(entry, download=replace(entry.download, address=address, **fields))
    monkeypatch.setitem(catalogue.DATASETS, name, changed)


def serve(server, monkeypatch, name, body, path="/set.zip"):
    server.files[path] = body
    move(monkeypatch, name, server.address + path)


# Downloads


def test_a_file_takes_its_name_when_it_is_whole_and_right(server, tmp_path):
    server.files["/a"] = BODY
    download.download(f"{server.address}/a", tmp_path / "new" / "a", "", checksum=checksum(BODY))
    assert (tmp_path / "new" / "a").read_bytes() == BODY
    assert left(tmp_path) == ["new/a"]


@pytest.mark.parametrize("cut", [100_000, len(BODY) - 1])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_goes_on_where_it_stopped_or_starts_again(server, tmp_path, cut, ranges):
    server.files["/a"], server.cut, server.ranges = BODY, cut, ranges
    address, target = f"{server.address}/a", tmp_path / "a"
    with pytest.raises(InputError, match="/a: cannot be downloaded; .* bytes are kept.* what to do: by hand"):
        download.download(address, target, "by hand")
    assert left(tmp_path) == ["a.part"]
    kept = (tmp_path / "a.part").stat().st_size
    assert cut - transfer.BLOCK < kept <= cut
    server.cut = None
    download.download(address, target, "by hand")
    assert target.read_bytes() == BODY and left(tmp_path) == ["a"]
    assert server.asked == [("/a", None), ("/a", f"bytes={kept}-")]


@pytest.mark.parametrize("body", [BODY[:10], b"another" * 100_000], ids=["shorter", "other content"])
def test_a_file_that_changed_since_it_was_cut_is_not_joined_to_the_old_start(server, tmp_path, body):
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    server.files["/a"] = body
    for _ in range(2):  # what was joined is refused and deleted, and the second try is whole
        try:
            download.download(f"{server.address}/a", tmp_path / "a", "", checksum=checksum(body))
        except InputError as error:
            assert "not the published file" in str(error) and left(tmp_path) == []
    assert (tmp_path / "a").read_bytes() == body


def test_another_range_than_was_asked_for_is_not_appended(server, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    server.files["/a"], server.shift = BODY, 7
    download.download(f"{server.address}/a", tmp_path / "a", "")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_missing_page_and_a_dead_server_are_explained(server, tmp_path):
    with pytest.raises(InputError, match="/b: cannot be downloaded. found: 404.* what to do: get it by hand"):
        download.download(f"{server.address}/b", tmp_path / "b", "get it by hand")
    with pytest.raises(InputError, match="cannot be downloaded. found: .*refused.* what to do: get it by hand"):
        download.download("http://127.0.0.1:1/b", tmp_path / "b", "get it by hand")
    assert left(tmp_path) == []


def test_wrong_content_is_refused_and_the_right_one_taken_next_time(server, tmp_path):
    server.files["/a"] = b"wrong"
    with pytest.raises(InputError, match="/a: not the published file.*what to do: by hand"):
        download.download(f"{server.address}/a", tmp_path / "a", "by hand", checksum=checksum(BODY))
    assert left(tmp_path) == []
    server.files["/a"] = BODY
    download.download(f"{server.address}/a", tmp_path / "a", "", checksum=checksum(BODY))
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_right_file_is_not_fetched_again_and_a_damaged_one_is(server, tmp_path):
    server.files["/a"] = BODY
    (tmp_path / "a").write_bytes(BODY)
    download.download(f"{server.address}/a", tmp_path / "a", "", checksum=checksum(BODY))
    assert server.asked == []
    (tmp_path / "a").write_bytes(b"damaged")
    download.download(f"{server.address}/a", tmp_path / "a", "", checksum=checksum(BODY))
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_full_disk_is_explained(server, tmp_path):
    server.files["/a"] = BODY
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(InputError, match="a: cannot be written.* what to do: make space"):
            download.download(f"{server.address}/a", tmp_path / "a", "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(tmp_path) in ([], ["a.part"])


# Archives


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def unpack(tmp_path, archive: bytes, **options):
    (tmp_path / "a.zip").write_bytes(archive)
    download.unpack(tmp_path / "a.zip", tmp_path / "folder", "by hand", **options)


def test_plain_files_are_unpacked(tmp_path):
    unpack(tmp_path, zipped({"set/": b"", "set/a.csv": BODY, "b": b"2"}))
    assert left(tmp_path / "folder") == ["b", "set/a.csv"]
    assert (tmp_path / "folder" / "set" / "a.csv").read_bytes() == BODY


@pytest.mark.parametrize(
    "bad",
    [
        entry("../outside"),
        entry("set/../../outside"),
        entry("/outside"),
        entry("..\\outside"),
        entry("C:outside"),
        entry("link", stat.S_IFLNK | 0o777),
        entry("device", stat.S_IFCHR | 0o666),
        entry("pipe", stat.S_IFIFO | 0o666),
        entry("good"),
    ],
    ids=lambda info: info.filename,
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_entries_outside_the_folder_links_devices_and_doubles_are_refused(tmp_path, bad):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("good", b"good")
        archive.writestr(bad, b"/etc/passwd")
    with pytest.raises(InputError, match="a.zip: not a usable archive, and deleted.* what to do: by hand"):
        unpack(tmp_path, stream.getvalue())
    assert left(tmp_path) == [], "nothing is unpacked before all entries are checked"


def test_more_than_the_limit_is_refused_before_anything_is_written(tmp_path):
    bomb = zipped({"a": bytes(60_000), "b": bytes(60_000)})
    assert len(bomb) < 1000
    with pytest.raises(InputError, match="120000 bytes unpacked, more than 100000"):
        unpack(tmp_path, bomb, most=100_000)
    assert left(tmp_path) == []
    unpack(tmp_path, bomb, most=120_000)


def test_an_entry_that_understates_its_size_writes_no_more_than_it_states(tmp_path):
    archive = zipped({"a": bytes(1_000_000)}).replace(struct.pack("<I", 1_000_000), struct.pack("<I", 10))
    with pytest.raises(InputError, match="not a usable archive"):
        unpack(tmp_path, archive, most=1000)
    assert sum(path.stat().st_size for path in (tmp_path / "folder").rglob("*")) <= 10


@pytest.mark.parametrize(
    "damage",
    [
        lambda archive: b"<html>no archive</html>",
        lambda archive: archive[:-30],
        lambda archive: b"",
        lambda archive: archive.replace(archive[50:60], b"0123456789"),
    ],
    ids=["a page", "cut off", "empty", "flipped"],
)
def test_a_damaged_archive_is_deleted(tmp_path, damage):
    with pytest.raises(InputError, match="not a usable archive, and deleted"):
        unpack(tmp_path, damage(zipped({"a.csv": BODY})))
    assert not (tmp_path / "a.zip").exists()


# Sets


HARTH = {f"S{number:03}.csv": b"content of %d" % number for number in (6, 8)}


@pytest.fixture
def harth(server, monkeypatch, tmp_path):
    """HARTH with two people, and its published checksums."""
    for name, content in HARTH.items():
        (tmp_path / name).write_bytes(content)
    table = {name: git_blob(tmp_path / name) for name in HARTH}
    monkeypatch.setattr(fetch, "published", lambda entry: table)
    files = {f"harth/{name}": content for name, content in HARTH.items()}
    serve(server, monkeypatch, "harth", zipped(files | {"__MACOSX/harth/._S006.csv": b"", "harth/readme.txt": b""}))
    return files


def test_harth_s_files_lie_in_its_folder_and_nothing_else_is_left(harth, server, data, capsys):
    (data / "harth").mkdir(parents=True)  # empty: nothing is there yet
    assert fetch.fetch("harth") == data / "harth"
    assert left(data) == ["harth/S006.csv", "harth/S008.csv"]
    assert (data / "harth" / "S008.csv").read_bytes() == HARTH["S008.csv"]
    fetch.fetch("harth")
    assert len(server.asked) == 1 and "is there already" in capsys.readouterr().out


def test_other_files_than_harth_s_published_ones_are_not_installed(harth, server, data):
    server.files["/set.zip"] = zipped(harth | {"harth/S008.csv": b"other"})
    for _ in range(2):  # it is not kept, so that the next fetch does not meet it again
        with pytest.raises(InputError, match="not hold the published files, and was deleted.*missing.*: S008.csv"):
            fetch.fetch("harth")
        assert left(data) == []
    server.files["/set.zip"] = zipped(harth | {"harth/S031.csv": b"one too many"})
    with pytest.raises(InputError, match="not hold the published files.*too many: S031.csv"):
        fetch.fetch("harth")
    server.files["/set.zip"] = zipped(harth)
    fetch.fetch("harth")
    assert left(data) == ["harth/S006.csv", "harth/S008.csv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_unpacking_leaves_nothing_half_written_and_goes_on_from_the_archive(
    harth, server, data, monkeypatch, error
):
    def interrupted(entry, made):
        install(entry, made)
        raise error

    install = fetch._check
    monkeypatch.setattr(fetch, "_check", interrupted)
    with pytest.raises((KeyboardInterrupt, InputError), match="make space|^$"):
        fetch.fetch("harth")
    assert left(data) == [".downloads/harth.zip"] and [path.name for path in data.iterdir()] == [".downloads"]
    monkeypatch.setattr(fetch, "_check", install)
    fetch.fetch("harth")
    assert left(data) == ["harth/S006.csv", "harth/S008.csv"] and len(server.asked) == 1


@pytest.mark.parametrize(
    ("files", "count"),
    [({"other.csv": b""}, 0), ({f"{folder}/{name}": HARTH[name] for folder in "ab" for name in HARTH}, 4)],
)
def test_an_archive_without_the_set_or_with_two_of_it_is_refused(harth, server, data, files, count):
    server.files["/set.zip"] = zipped(files)
    with pytest.raises(InputError, match=f"does not hold the set. found: {count} files S"):
        fetch.fetch("harth")
    assert left(data) == []


def tensors(windows=4) -> bytes:
    stream = io.BytesIO()
    torch.save(
        {"samples": torch.arange(windows * 178.0).reshape(windows, 1, 178), "labels": torch.arange(windows) % 5}, stream
    )
    return stream.getvalue()


def test_sleepeeg_s_files_are_picked_and_read_before_they_are_installed(server, data, monkeypatch):
    serve(server, monkeypatch, "sleepeeg", zipped({"train.pt": tensors(), "val.pt": tensors(), "test.pt": tensors()}))
    fetch.fetch("sleepeeg-paper")
    assert left(data) == [".checksums/sleepeeg.json", "sleepeeg/train.pt", "sleepeeg/val.pt"]
    (data / "sleepeeg" / "val.pt").unlink()
    (data / "sleepeeg" / "train.pt").unlink()
    (data / "sleepeeg").rmdir()
    server.files["/set.zip"] = zipped({"train.pt": tensors(), "val.pt": b"no tensors"})
    with pytest.raises(InputError, match="val.pt"):
        fetch.fetch("sleepeeg")
    assert not (data / "sleepeeg").exists()


def test_dsads_is_converted(server, data, monkeypatch):
    for name, value in (("PEOPLE", 1), ("ACTIVITIES", 2), ("SEGMENTS", 1), ("ROWS", 4)):
        monkeypatch.setattr(convert, f"DSADS_{name}", value)
    monkeypatch.setattr(convert, "convert_dsads", functools.partial(convert.convert_dsads, people=[1]))
    text = "".join(",".join(str(row + column) for column in range(45)) + "\n" for row in range(4)).encode()
    serve(server, monkeypatch, "dsads", zipped({f"data/a{activity:02}/p1/s01.txt": text for activity in (1, 2)}))
    fetch.fetch("dsads")
    assert left(data) == [".checksums/dsads.json", "dsads/dataset.json", "dsads/p1.npz"]
    (person,) = load_folder(data / "dsads").recordings
    np.testing.assert_array_equal(person.values[:, 3], [27, 28, 29, 30] * 2)


@pytest.fixture
def zenodo(server, data, monkeypatch):
    """A record with an archive of one person and a document beside it."""
    rows = [
        f"{i},{-i},{i / 2},{i + 1},{i * i},{i % 3},{i * 10},{'SEATED' if i < 5 else 'SITTING_DOWN'}" for i in range(10)
    ]
    text = "\n".join([",".join(SPSW_HEADER), *rows]).encode()
    monkeypatch.setattr(convert, "convert_spsw", functools.partial(convert.convert_spsw, people=["s01"]))
    archive = zipped(
        {
            f"DATA/s01/s01_{number:02}_{kind}.csv": text
            for kind in ("sp", "sw")
            for number in range(1, SPSW_EXECUTIONS["s01"] + 1)
        }
    )
    server.files["/files/data.zip"] = archive
    record = {
        "files": [
            {
                "key": name,
                "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                "links": {"self": f"{server.address}/files/{name}"},
            }
            for name, content in (("readme.md", b""), ("data.zip", archive))
        ]
    }
    serve(server, monkeypatch, "spsw-har", json.dumps(record).encode(), "/record")
    return record


def test_spsw_har_comes_from_the_archives_of_its_record_and_is_converted(zenodo, server, data):
    fetch.fetch("spsw-har")
    assert left(data) == [".checksums/spsw-har.json", "spsw-har/dataset.json", "spsw-har/s01.npz"]
    assert [path for path, _ in server.asked] == ["/record", "/files/data.zip"]
    assert len(load_folder(data / "spsw-har").recordings) == SPSW_EXECUTIONS["s01"]


def test_an_archive_of_another_md5_than_the_record_s_is_refused(zenodo, server, data):
    server.files["/files/data.zip"] = zipped({"other": b""})
    with pytest.raises(InputError, match="not the published file"):
        fetch.fetch("spsw-har")
    assert left(data) == []


@pytest.mark.parametrize(
    "record",
    [
        b"<html>",
        b"[]",
        b'{"files": 3}',
        b'{"files": []}',
        b'{"files": [{"key": "a.zip", "checksum": "none", "links": {"self": ""}}]}',
        b"[" * 100_000,
        b'{"files": [{"key": ' + b"[" * 100_000,
    ],
    ids=range(7),
)
def test_a_page_that_is_no_record_is_refused(zenodo, server, data, record):
    server.files["/record"] = record
    with pytest.raises(InputError, match="/record: no.* what to do: try again later; or by hand"):
        fetch.fetch("spsw-har")
    assert left(data) == []


TRAIN = "@problemName Small\n@data\n1.50,-2,3e-1:2\n# remark\n\n4,5,6:1\n"
TEST = "@data\n7,8,9:1\n"


@pytest.mark.parametrize(
    "files",
    [
        {"Small_TRAIN.ts": TRAIN, "Small_TEST.ts": TEST, "Small_TRAIN.txt": ""},
        {
            "in/Small_TRAIN.tsv": "2\t1.50\t-2\t3e-1\n1\t4\t5\t6\n",
            "in/Small_TEST.tsv": "1\t7\t8\t9\n",
            "Small_TRAIN.ts": "",
            "Small_TEST.ts": "",
        },
    ],
    ids=[".ts", ".tsv"],
)
def test_a_ucr_set_is_written_as_the_archive_s_tsv(server, data, monkeypatch, files):
    monkeypatch.setattr(catalogue, "UCR_ADDRESS", server.address + "/{series}.zip")
    server.files["/Small.zip"] = zipped({name: text.encode() for name, text in files.items()})
    fetch.fetch("ucr-Small")
    assert left(data) == [".checksums/ucr-Small.json", "ucr/Small/Small_TEST.tsv", "ucr/Small/Small_TRAIN.tsv"]
    assert (data / "ucr/Small/Small_TRAIN.tsv").read_text() == "2\t1.50\t-2\t3e-1\n1\t4\t5\t6\n"
    assert load_ucr(data / "ucr" / "Small").classes == ("1", "2")


@pytest.mark.parametrize("line", ["1,2,3", "1,2:3,4:1", "(2001,1),(2002,2):1", "1,?,3:1"])
def test_a_ucr_set_of_several_channels_or_with_gaps_is_refused(server, data, monkeypatch, line):
    monkeypatch.setattr(catalogue, "UCR_ADDRESS", server.address + "/{series}.zip")
    server.files["/Small.zip"] = zipped({"Small_TRAIN.ts": f"@data\n{line}\n".encode(), "Small_TEST.ts": TEST.encode()})
    with pytest.raises(InputError):
        fetch.fetch("ucr-Small")
    assert not (data / "ucr" / "Small").exists()


@pytest.fixture
def physionet(server, monkeypatch):
    """A database of two records, one without signals, with other files in its list."""
    files = {
        "RECORDS": b"100\n101\n",
        "100.hea": b"h",
        "100.dat": BODY,
        "100.atr": b"a",
        "101.hea": b"i",
        "101.atr": b"b",
        "100.xws": b"x",
        "100-0.atr": b"y",
        "x_mitdb/x_100.hea": b"z",
    }
    table = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    listed = "".join(f"{digest} {name}\n" for name, digest in table.items()).encode()
    server.files |= {f"/db/{name}": content for name, content in files.items()} | {"/db/SHA256SUMS.txt": listed}
    for name in ("mitbih", "ecg"):
        move(monkeypatch, name, server.address + "/db/")
    wanted = ["100.atr", "100.dat", "100.hea", "101.atr", "101.hea", "RECORDS"]
    monkeypatch.setitem(sources.FILES, "ecg", frozenset(wanted))
    known = {name: table[name] for name in wanted} | {"SHA256SUMS.txt": hashlib.sha256(listed).hexdigest()}
    monkeypatch.setattr(fetch, "published", lambda entry: known)
    return [f"{{}}/{name}" for name in [*wanted, "SHA256SUMS.txt"]]


@pytest.mark.parametrize("name", ["mitbih", "ecg"])
def test_physionet_s_records_come_file_by_file_and_what_is_missing_or_damaged_later(physionet, server, data, name):
    body = server.files.pop("/db/100.hea")
    with pytest.raises(InputError, match="/db/100.hea: cannot be downloaded"):
        fetch.fetch(name)
    server.files["/db/100.hea"] = body
    assert not (data / name).exists()
    fetch.fetch(name)
    assert [file for file in left(data) if file[0] != "."] == [file.format(name) for file in physionet]
    assert [file for file in left(data) if file[0] == "."] == [".checksums/ecg.json"] * (name == "ecg")
    server.asked.clear()
    (data / name / "100.dat").write_bytes(b"damaged")
    (data / name / "101.atr").unlink()
    fetch.fetch(name)
    assert [path for path, _ in server.asked] == ["/db/100.dat", "/db/101.atr"]
    assert (data / name / "100.dat").read_bytes() == BODY


def test_a_file_that_is_not_the_published_one_does_not_enter_the_folder(physionet, server, data):
    server.files["/db/100.dat"] = BODY[:-1]
    with pytest.raises(InputError, match="100.dat: not the published file.* by hand: get http.*verify mitbih"):
        fetch.fetch("mitbih")
    assert "mitbih/100.dat" not in left(data)


def test_the_nights_of_sleep_edf_lie_where_sleepeeg_s_reader_looks(server, data, monkeypatch):
    files = {"SC4001E0-PSG.edf": b"p", "SC4001EC-Hypnogram.edf": b"h"}
    server.files = {f"/{name}": content for name, content in files.items()}
    nights = sources.NIGHTS
    nights = replace(nights, download=replace(nights.download, address=server.address + "/"))
    for module in (sources, fetch):
        monkeypatch.setattr(module, "NIGHTS", nights)
    monkeypatch.setattr(
        fetch,
        "published",
        lambda entry: {file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
    )
    fetch.fetch("sleepedf")
    assert left(data) == ["sleepeeg/SC4001E0-PSG.edf", "sleepeeg/SC4001EC-Hypnogram.edf"]
    (data / "sleepeeg" / "train.pt").touch()
    with pytest.raises(InputError, match="holds SleepEEG as TF-C prepared it"):
        fetch.fetch("sleepedf")


def test_installers_are_functions(data):
    entries = (*catalogue.SETS, catalogue.entry_of("ucr-Adiac"))
    names = {entry.download.install for entry in entries if entry.download} - {None}
    assert len(names) == 3 and all(callable(resolve_name(name)) for name in names)


def test_a_set_without_a_download_says_what_to_do_instead(data, monkeypatch):
    monkeypatch.setitem(catalogue.DATASETS, "walks", catalogue.Entry("walks", "Walks", "made up", reader="a:b"))
    with pytest.raises(InputError, match=f"no download is known. what to do: put its files into {data / 'walks'}"):
        fetch.fetch("walks")


def test_features_of_sleep_edf_cannot_be_fetched_and_say_where_they_are_from(data):
    with pytest.raises(InputError, match="cannot be fetched.*matteo-omizzolo/sleep-EDF"):
        fetch.fetch("sleepedf-features")


@pytest.mark.parametrize("name", ["nope", "ecg-sim", "ucr-../x", "ucr-", "", "/outside", "/tmp"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InputError, match="no public data set of this name"):
        fetch.fetch(name)


def test_every_set_has_an_address_and_manual_steps(data):
    data.mkdir()
    for entry in (*catalogue.SETS, sources.NIGHTS, catalogue.entry_of("ucr-Adiac")):
        if entry.download:
            manual = fetch.by_hand(entry)
            assert "get https://" in manual and str(entry.folder) in manual and "{" not in manual
            for module, function in re.findall(r"from ([\w.]+) import (\w+)", manual):
                assert callable(resolve_name(f"{module}:{function}")) and f"; {function}(" in manual
        else:
            assert entry.unfetched and str(entry.folder) in entry.instructions
        assert entry.folder.is_relative_to(data)
