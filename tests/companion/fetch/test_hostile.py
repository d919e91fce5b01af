"""Downloads from servers on this machine that misbehave, and data folders that lead elsewhere."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import socketserver
import stat
import struct
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from companion.fetch import archives as fetch
from companion.fetch import download, seen, sources, transfer, verify
from companion.fetch.sources import Limits
from emargin.data import catalogue
from emargin.errors import InputError

pytest.importorskip("pooch")

BODY = bytes(range(256)) * 40
OK = b"HTTP/1.1 200 OK\r\n"
# A tenth of a second stands for the minute that a server usually has.
STRICT = Limits(largest=20_000, speed=1000, window=0.1, answer=0.1, seconds=30)
PATIENT = replace(STRICT, window=10, answer=10)


class Server(socketserver.ThreadingTCPServer):
    """Leaves what it says to `behave(send, request)`; `send` is True as long as somebody listens."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.closing = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # the client hung up, which is what these tests are about


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            request += line
        self.server.asked.append(request.decode())

        def send(content: bytes, after: float = 0.0) -> bool:
            if self.server.closing.wait(after) if after else self.server.closing.is_set():
                return False
            self.wfile.write(content)
            return True

        self.server.behave(send, request.decode())


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    """The folder of the real data sets, none there yet."""
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def left(folder):
    """Files at any depth, hidden and half-written ones, too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def answers(server, *parts: bytes, after: float = 0.0):
    """Let the server send these parts, whatever is asked."""

    def behave(send, request):
        for part in parts:
            send(part, after)

    server.behave = behave


def forever(server, *parts: bytes, again: bytes, after: float = 0.0):
    """Let the server send these parts, then another one again and again, with a pause before each."""

    def behave(send, request):
        for part in parts:
            send(part)
        while send(again, after):
            pass

    server.behave = behave


def get(server, tmp_path, limits=STRICT, path="a", **options):
    download.download(f"{server.address}/{path}", tmp_path / "a", "by hand", limits=limits, **options)
    return (tmp_path / "a").read_bytes()


def no_thread_waits():
    for thread in threading.enumerate():
        if thread.name == "download":
            thread.join(10)
            assert not thread.is_alive()


# Sizes


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (OK + b"\r\n", bytes(1000)),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + bytes(1000) + b"\r\n"),
        (OK + b"Content-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + bytes(1000) + b"\r\n"),
    ],
    ids=["until it closes", "chunked", "chunked with a length"],
)
def test_a_body_without_end_is_refused_at_the_largest_size(server, tmp_path, head, again):
    forever(server, head, again=again)
    with pytest.raises(InputError, match="/a: refused. found: more than the 20000 bytes.* what to do: by hand"):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == []
    no_thread_waits()


@pytest.mark.parametrize("length", ["20001", "999999999999999"])
def test_a_length_beyond_the_largest_size_is_refused_before_any_byte(server, tmp_path, length):
    forever(server, OK + f"Content-Length: {length}\r\n\r\n".encode(), again=bytes(1000))
    with pytest.raises(InputError, match=f"/a: refused. found: {length} bytes, more than the 20000"):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == []


def test_more_than_the_length_that_was_stated_is_not_taken(server, tmp_path):
    forever(server, OK + b"Content-Length: 1000\r\n\r\n", again=bytes(1000))
    assert get(server, tmp_path, PATIENT) == bytes(1000)


def test_more_in_chunks_than_the_length_that_was_stated_is_not_kept(server, tmp_path):
    answers(server, OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(InputError, match="the connection was cut after 5 of 3 bytes"):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == []


def test_the_largest_size_itself_is_taken(server, tmp_path):
    answers(server, OK + b"Content-Length: 20000\r\n\r\n", bytes(20_000))
    assert len(get(server, tmp_path, PATIENT)) == 20_000


@pytest.mark.parametrize("header", ["Content-Encoding", "Transfer-Encoding"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate, gzip", "br", "x-own", "gzip, chunked"])
def test_an_encoding_that_was_not_asked_for_is_refused(server, tmp_path, header, encoding):
    answers(server, OK + f"{header}: {encoding}\r\n\r\n".encode(), BODY)
    with pytest.raises(InputError, match=f"refused. found: a body with the encoding '{encoding}'"):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == []


def test_what_is_kept_and_what_comes_are_together_no_larger(server, tmp_path):
    (tmp_path / "a.part").write_bytes(bytes(15_000))
    forever(server, b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 15000-99999/*\r\n\r\n", again=bytes(1000))
    with pytest.raises(InputError, match="refused"):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == []
    (tmp_path / "a.part").write_bytes(bytes(20_000))
    answers(server, OK + b"\r\n", b"new")
    assert get(server, tmp_path, PATIENT) == b"new" and "Range:" not in server.asked[-1]


def test_a_file_for_which_there_is_no_space_is_not_begun(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(100, 90, 10))
    answers(server, OK + b"Content-Length: 11\r\n\r\n", b"hello world")
    with pytest.raises(InputError, match="a: cannot be written.* no space for its 11 bytes.* make space"):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == []


# Time


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NEVER, SLOW = "no answer for 0.1 s", r"\d+ bytes in 0.1 s, less than 1000 a second"


@pytest.mark.parametrize(
    ("head", "again", "message"),
    [
        pytest.param(b"", b"H", NEVER, id="status"),
        pytest.param(OK, b"X", NEVER, id="header"),
        pytest.param(OK, b"X: y\r\n", NEVER, id="headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", NEVER, id="continue"),
        pytest.param(OK + b"\r\n", b".", SLOW, id="body"),
        pytest.param(OK + b"Content-Length: 10000\r\n\r\n", b".", SLOW, id="stated body"),
        pytest.param(CHUNKED, b"1\r\n.\r\n", SLOW, id="chunks"),
        pytest.param(CHUNKED, b"0", SLOW, id="chunk size"),
        pytest.param(CHUNKED + b"1;", b"x", SLOW, id="chunk extension"),
        pytest.param(CHUNKED + b"1\r\n.\r\n0\r\n", b"X: y\r\n", SLOW, id="trailers"),
    ],
)
def test_a_server_that_drips_is_given_up_wherever_it_does(server, tmp_path, head, again, message):
    forever(server, head, again=again, after=0.02)
    with pytest.raises(InputError, match=f"/a: cannot be downloaded.* found: {message}"):
        get(server, tmp_path, replace(STRICT, answer=0.1 if message == NEVER else 10))
    assert left(tmp_path) in ([], ["a.part"])
    no_thread_waits()


@pytest.mark.parametrize("again", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\n\r\n"])
def test_a_server_that_never_comes_to_the_answer_is_given_up(server, tmp_path, again):
    forever(server, again=again)
    with pytest.raises(InputError, match="/a: cannot be downloaded"):
        get(server, tmp_path)
    no_thread_waits()


@pytest.mark.parametrize("head", [b"", OK, OK + b"\r\n", OK + b"Content-Length: 10\r\n\r\n"])
def test_a_server_that_falls_silent_is_given_up(server, tmp_path, head):
    forever(server, head, again=b"", after=0.02)
    with pytest.raises(InputError, match="cannot be downloaded"):
        get(server, tmp_path)
    no_thread_waits()


def test_a_file_that_is_not_whole_in_its_time_is_given_up_and_what_came_is_kept(server, tmp_path):
    forever(server, OK + b"\r\n", again=b"." * 100, after=0.01)
    with pytest.raises(InputError, match="a: cannot be downloaded; .* bytes are kept.* not whole after 0.5 s"):
        get(server, tmp_path, replace(PATIENT, seconds=0.5))
    assert left(tmp_path) == ["a.part"]
    no_thread_waits()


def test_a_connection_that_comes_after_it_was_given_up_is_not_used(server):
    line = transfer._Line()
    line.hang_up()
    with pytest.raises(transfer.requests.ConnectionError, match="given up"):
        next(transfer._answer_and_blocks(line, f"{server.address}/a", 0, PATIENT, server.address))
    assert server.asked == []


def test_an_interrupted_download_leaves_no_thread_and_no_file_of_its_name(server, tmp_path, monkeypatch):
    forever(server, OK + b"\r\n", again=b".")
    monkeypatch.setattr(transfer.tqdm, "update", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path, PATIENT)
    assert left(tmp_path) == ["a.part"]
    no_thread_waits()


# Answers that are not the file


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 202 Accepted\r\n\r\n",
        b"HTTP/1.1 203 Other\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/100\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\n\r\n",
        b"HTTP/1.1 300 Choices\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 500 Error\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"no http\r\n\r\n",
        b"",
        OK + b"X: y\r\n" * 1000 + b"\r\n",
        OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Content-Length: 100\r\nContent-Length: 3\r\n\r\n",
        *(
            OK + b"Content-Length: " + length + b"\r\n\r\n"
            for length in (b"", b"-1", b"+10", b"0x10", b"\xb2", b"9" * 5000, b"10, 11")
        ),
    ],
    ids=range(21),
)
def test_an_answer_that_is_not_the_whole_file_is_not_taken_for_it(server, tmp_path, head):
    answers(server, head, b"." * 10)
    with pytest.raises(InputError, match="/a: cannot be downloaded.* what to do: by hand"):
        get(server, tmp_path, PATIENT)
    assert "a" not in left(tmp_path)


def test_what_a_server_says_is_shown_short_and_cannot_steer_a_terminal(server, tmp_path):
    answers(server, b"HTTP/1.1 404 \x1b[2J\x07" + b"no" * 3000 + b"\r\n\r\n")
    with pytest.raises(InputError, match="404 Client Error") as caught:
        get(server, tmp_path, PATIENT)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


@pytest.mark.parametrize("said", ["bytes 5-9/100", "bytes 5-9/8", "bytes 5-/100", "5-9/10", "bytes 0-9/10", ""])
def test_a_part_of_the_rest_is_not_taken_for_the_rest(server, tmp_path, said):
    def behave(send, request):
        if "Range: bytes=5-" in request:
            send(f"HTTP/1.1 206 Partial\r\nContent-Range: {said}\r\nContent-Length: 5\r\n\r\n.....".encode())
        else:
            send(OK + b"Content-Length: 4\r\n\r\nnew.")

    server.behave = behave
    (tmp_path / "a.part").write_bytes(b"12345")
    with contextlib.suppress(InputError):
        get(server, tmp_path, PATIENT)
    assert not (tmp_path / "a").exists() or (tmp_path / "a").read_bytes() == b"new."


def test_a_resumed_file_is_checked_as_a_whole(server, tmp_path):
    (tmp_path / "a.part").write_bytes(b"other")
    answers(server, b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n67890")
    with pytest.raises(InputError, match="not the published file"):
        get(server, tmp_path, PATIENT, checksum=f"sha256:{hashlib.sha256(b'1234567890').hexdigest()}")
    assert left(tmp_path) == []


# Addresses


def moved(server, location: str, status=302):
    answers(server, f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/b",
        "http://127.0.0.1:1/b",
        "//localhost:{port}/b",
        "http://127.0.0.1:{port}@localhost:{port}/b",
        "http://user:word@127.0.0.1:{port}/b",
        "http://localhost:{port}\\@127.0.0.1:{port}/b",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/b",
        "data:text/plain,b",
        "https://",
    ],
)
def test_a_redirect_to_another_host_or_scheme_is_refused_before_it_is_asked(server, tmp_path, location, status):
    moved(server, location.format(port=server.server_address[1]), status)
    with pytest.raises(InputError, match="/a: (refused. found: the address|cannot be downloaded)"):
        get(server, tmp_path, PATIENT)
    assert len(server.asked) == 1 and left(tmp_path) == []


def test_a_redirect_on_the_same_host_or_to_a_declared_one_is_followed(server, tmp_path):
    port = server.server_address[1]

    def behave(send, request):
        if "GET /a " in request:
            send(b"HTTP/1.1 302 Moved\r\nLocation: /b\r\n\r\n")
        elif "GET /b " in request:
            send(f"HTTP/1.1 302 Moved\r\nLocation: http://localhost:{port}/c\r\n\r\n".encode())
        else:
            send(OK + b"\r\n" + BODY)

    server.behave = behave
    with pytest.raises(InputError, match="refused"):
        get(server, tmp_path, PATIENT)
    assert get(server, tmp_path, replace(PATIENT, hosts=(f"localhost:{port}",))) == BODY


def test_a_redirect_that_never_ends_is_given_up(server, tmp_path):
    moved(server, "/a")
    with pytest.raises(InputError, match="cannot be downloaded. found: .*more than 5 redirects"):
        get(server, tmp_path, PATIENT)
    assert len(server.asked) == 6


def test_a_connection_that_is_closed_after_a_redirect_does_no_harm(server, tmp_path):
    def behave(send, request):
        if "GET /a " in request:
            send(b"HTTP/1.1 302 Moved\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
            send(b"", after=0.2)  # kept open for so long, as if it would take another request
        else:
            send(OK + b"\r\n" + BODY)

    server.behave = behave
    assert get(server, tmp_path, PATIENT) == BODY


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("https://zenodo.org/b", True),
        ("https://zenodo.org:443/b", True),
        ("https://files.org/b", True),
        ("https://ZENODO.org/b", True),
        ("http://zenodo.org/b", False),
        ("http://files.org/b", False),
        ("https://zenodo.org:8443/b", False),
        ("https://zenodo.org.other.org/b", False),
        ("https://other.org/zenodo.org", False),
        ("https://zenodo.org@other.org/", False),
        ("https://other.org#@zenodo.org/", False),
        ("https://other.org\\.zenodo.org/", False),
        ("https://127.0.0.1/b", False),
        ("https://zenodo.org/b\\@other.org", False),
        ("https://zenodo.org/b\n", False),
        ("https://zenodo.org/b c", False),
        ("https://:word@zenodo.org/b", False),
        ("https://xn--zendo-kva.org/", False),
        ("file://zenodo.org/b", False),
        ("ftp://zenodo.org/b", False),
        ("zenodo.org/b", False),
        ("", False),
    ],
)
def test_from_https_no_address_leads_to_plain_http_or_to_a_host_that_is_not_declared(address, usable):
    if usable:
        transfer._check_address(address, "https://zenodo.org/a", ("files.org",))
    else:
        with pytest.raises(transfer.Refused, match="and not one at zenodo.org, files.org by https"):
            transfer._check_address(address, "https://zenodo.org/a", ("files.org",))


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a", "/etc/passwd", ""])
def test_an_address_of_another_scheme_is_refused(tmp_path, address):
    with pytest.raises(InputError, match="refused. found: the address"):
        download.download(address, tmp_path / "a", "by hand")
    assert left(tmp_path) == []


def test_the_address_of_every_set_is_https_and_its_limits_are_declared():
    for entry in (*catalogue.SETS, sources.NIGHTS, catalogue.entry_of("ucr-Adiac")):
        if entry.download:
            assert entry.download.address.startswith("https://")
            assert entry.has_series or entry.name in sources.LIMITS
            assert entry.download.checksums != verify.SUMS or entry.name in sources.FILES
            limits = sources.limits_of(entry)
            assert limits.largest <= 2e9 and limits.unpacked <= 4e9 and limits.speed * limits.window > 0


# Sets


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def serve(server, files: dict[str, bytes]):
    """Let the server give these files, by their path, and 404 for others."""

    def behave(send, request):
        body = files.get(request.split()[1])
        head = b"HTTP/1.1 404 Missing\r\n" if body is None else OK
        send(head + f"Content-Length: {len(body or b'')}\r\n\r\n".encode() + (body or b""))

    server.behave = behave


def move(monkeypatch, name, address):
    entry = sources.public_of(name)
    changed = replace(entry, download=replace(entry.download, address=address))
    monkeypatch.setitem(catalogue.DATASETS, name, changed)


def small(values: str = "4\t5\t6", series: int = 1) -> bytes:
    return zipped({"Small_TRAIN.tsv": b"2\t1\t2\t3\n" * series, "Small_TEST.tsv": f"1\t{values}\n".encode()})


@pytest.fixture
def ucr(server, monkeypatch):
    """A set of the UCR archive that a test can change."""
    monkeypatch.setattr(catalogue, "UCR_ADDRESS", server.address + "/{series}.zip")
    files = {"/Small.zip": small()}
    serve(server, files)
    return files


def test_the_first_files_of_a_set_without_checksums_are_remembered_and_others_refused(ucr, data, capsys):
    fetch.fetch("ucr-Small")
    assert "not verified, since no checksums were published: the first that was fetched" in capsys.readouterr().out
    shutil.rmtree(data / "ucr")
    fetch.fetch("ucr-Small")
    assert "not verified, since no checksums were published: the same as first fetched" in capsys.readouterr().out
    shutil.rmtree(data / "ucr")
    ucr["/Small.zip"] = small("4\t5\t7")
    with pytest.raises(
        InputError, match="1 files are others than those first fetched on .*Small_TEST.tsv.*ucr-Small.json"
    ):
        fetch.fetch("ucr-Small")
    assert left(data) == [".checksums/ucr-Small.json"]
    (data / ".checksums" / "ucr-Small.json").unlink()
    fetch.fetch("ucr-Small")
    assert len(left(data)) == 3


def test_verify_compares_with_what_was_first_fetched_and_says_that_this_verifies_nothing(ucr, data, capsys):
    fetch.fetch("ucr-Small")
    assert verify.verify("ucr-Small") == []
    assert "not verified by anything but what came with it; compared with what was fetched" in capsys.readouterr().out
    (data / "ucr" / "Small" / "Small_TEST.tsv").write_text("1\t4\t5\t7\n")
    (problem,) = verify.verify("ucr-Small")
    assert "Small_TEST.tsv: not the file first fetched. Found: sha256:" in problem and "Wanted: sha256:" in problem
    (data / ".checksums" / "ucr-Small.json").unlink()
    assert verify.verify("ucr-Small") == []
    assert "this set was not fetched here" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"since": 3, "files": {}}', '{"since": "x", "files": {"a": "b"}}', "[" * 100_000],
    ids=range(6),
)
def test_a_damaged_memory_is_refused_by_name_before_anything_is_downloaded(ucr, server, data, text):
    (data / ".checksums").mkdir()
    (data / ".checksums" / "ucr-Small.json").write_text(text)
    with pytest.raises(InputError, match="ucr-Small.json: cannot be read.*remove it"):
        fetch.fetch("ucr-Small")
    assert server.asked == [] and (data / ".checksums" / "ucr-Small.json").read_text() == text


def test_npz_files_are_the_same_however_they_are_compressed(tmp_path):
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    np.savez(tmp_path / "one" / "a.npz", signal=np.arange(1000), labels=np.zeros(3))
    np.savez_compressed(tmp_path / "two" / "a.npz", labels=np.zeros(3), signal=np.arange(1000))
    assert seen.digests(tmp_path / "one") == seen.digests(tmp_path / "two")
    np.savez(tmp_path / "two" / "a.npz", signal=np.arange(1000) + 1, labels=np.zeros(3))
    assert seen.digests(tmp_path / "one") != seen.digests(tmp_path / "two")
    (tmp_path / "two" / "a.npz").write_bytes(b"damaged")
    assert seen.digests(tmp_path / "two")["a.npz"].startswith("damaged")


def test_a_set_of_another_number_of_series_than_is_known_is_not_the_whole_set(ucr, data, monkeypatch):
    monkeypatch.setitem(sources.SERIES, "Small", (2, 1))
    with pytest.raises(InputError, match="not the whole set. found: 1 and 1 series.* wanted: 2 and 1"):
        fetch.fetch("ucr-Small")
    assert left(data) == []
    ucr["/Small.zip"] = small(series=2)
    fetch.fetch("ucr-Small")
    assert verify.verify("ucr-Small") == []
    (data / "ucr" / "Small" / "Small_TRAIN.tsv").write_text("2\t1\t2\t3\n")
    with pytest.raises(InputError, match="not the whole set"):
        verify.verify("ucr-Small")


@pytest.mark.parametrize(
    "kept",
    [b"", b"<html>", small()[:-30], small("4\tx"), zipped({"other": b""}), zipped({"../out": b""})],
    ids=range(6),
)
def test_a_bad_archive_of_an_earlier_fetch_is_downloaded_again(ucr, server, data, kept, capsys):
    (data / ".downloads").mkdir()
    (data / ".downloads" / "ucr-Small.zip").write_bytes(kept)
    fetch.fetch("ucr-Small")
    assert "left by an earlier fetch, and is downloaded again" in capsys.readouterr().out
    assert left(data) == [".checksums/ucr-Small.json", "ucr/Small/Small_TEST.tsv", "ucr/Small/Small_TRAIN.tsv"]
    assert len(server.asked) == 1


def test_a_good_archive_of_an_earlier_fetch_is_used(ucr, server, data):
    (data / ".downloads").mkdir()
    (data / ".downloads" / "ucr-Small.zip").write_bytes(small())
    fetch.fetch("ucr-Small")
    assert server.asked == []


def test_a_bad_archive_is_not_kept_for_the_next_fetch(ucr, server, data):
    ucr["/Small.zip"] = small("4\tx")
    with pytest.raises(InputError):
        fetch.fetch("ucr-Small")
    assert left(data) == [] and len(server.asked) == 1
    ucr["/Small.zip"] = small()
    fetch.fetch("ucr-Small")
    assert len(server.asked) == 2


def test_what_a_killed_fetch_left_is_cleared(ucr, data):
    for name in ("unpacked/Small_TRAIN.tsv", "unpacked/deep/Small_TRAIN.tsv", "Small/Small_TRAIN.tsv"):
        (data / ".downloads" / "ucr-Small" / name).parent.mkdir(parents=True, exist_ok=True)
        (data / ".downloads" / "ucr-Small" / name).write_text("half")
    fetch.fetch("ucr-Small")
    assert left(data) == [".checksums/ucr-Small.json", "ucr/Small/Small_TEST.tsv", "ucr/Small/Small_TRAIN.tsv"]


def test_a_set_that_is_being_unpacked_is_not_listed_as_one(ucr, data, monkeypatch):
    def look(entry, made):
        assert [row.split()[0] for row in verify.overview().splitlines() if row.startswith("ucr-")] == []
        return check(entry, made)

    check = fetch._check
    (data / "ucr").mkdir()
    monkeypatch.setattr(fetch, "_check", look)
    fetch.fetch("ucr-Small")
    assert "ucr-Small" in verify.overview()


def test_one_set_is_not_fetched_twice_at_a_time(ucr, data):
    with fetch._alone(sources.public_of("ucr-Small")), pytest.raises(InputError, match="being fetched already"):
        fetch.fetch("ucr-Small")
    fetch.fetch("ucr-Small")
    assert not list(data.rglob("*.lock"))


@pytest.fixture
def afdb(server, monkeypatch):
    """Two records, and the list of their checksums."""
    files = {name: name.encode() * 9 for name in ("RECORDS", "1.hea", "1.dat", "1.atr", "2.hea", "2.atr")}
    monkeypatch.setitem(sources.FILES, "ecg", frozenset(files))
    table = "".join(f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in files.items()).encode()
    served = {f"/db/{name}": content for name, content in (files | {"SHA256SUMS.txt": table}).items()}
    serve(server, served)
    move(monkeypatch, "ecg", server.address + "/db/")
    return served


@pytest.mark.parametrize("lines", range(6))
def test_a_list_of_checksums_that_was_cut_at_a_line_is_no_complete_set(afdb, data, lines):
    whole = afdb["/db/SHA256SUMS.txt"]
    afdb["/db/SHA256SUMS.txt"] = b"".join(whole.splitlines(keepends=True)[:lines])
    with pytest.raises(InputError, match=f"not the whole list of the set's checksums. found: {lines} files"):
        fetch.fetch("ecg")
    assert not (data / "ecg").exists()
    afdb["/db/SHA256SUMS.txt"] = whole
    fetch.fetch("ecg")
    assert len(list((data / "ecg").iterdir())) == 7


def test_a_cut_list_beside_the_files_is_downloaded_again(afdb, data, capsys):
    fetch.fetch("ecg")
    assert "not verified, since SHA256SUMS.txt comes from the same server" in capsys.readouterr().out
    (data / "ecg" / "SHA256SUMS.txt").write_bytes(b"")
    fetch.fetch("ecg")
    assert (data / "ecg" / "SHA256SUMS.txt").read_bytes() == afdb["/db/SHA256SUMS.txt"]


def test_a_set_of_single_files_takes_its_place_in_one_step(afdb, data, monkeypatch):
    (data / ".downloads" / "ecg").mkdir(parents=True)
    (data / ".downloads" / "ecg" / "old.dat.part").write_text("of another fetch")
    (data / "ecg").mkdir()

    def move_beside(old, new):
        assert data / "ecg" not in Path(new).parents, "a file of the set was moved alone"
        os.rename(old, new)

    monkeypatch.setattr(os, "replace", move_beside)
    fetch.fetch("ecg")
    assert len(list((data / "ecg").iterdir())) == 7 and not (data / ".downloads" / "ecg").exists()


def test_a_list_that_changed_with_its_files_is_refused_after_the_first_fetch(afdb, data):
    fetch.fetch("ecg")
    shutil.rmtree(data / "ecg")
    old, new = (hashlib.sha256(content).hexdigest().encode() for content in (afdb["/db/1.dat"], b"forged"))
    afdb["/db/1.dat"] = b"forged"
    afdb["/db/SHA256SUMS.txt"] = afdb["/db/SHA256SUMS.txt"].replace(old, new)
    with pytest.raises(InputError, match="1 files are others than those first fetched on .*1.dat"):
        fetch.fetch("ecg")
    assert not (data / "ecg").exists()


def test_a_list_without_end_is_refused(afdb, data):
    afdb["/db/SHA256SUMS.txt"] = b"a" * (sources.LIST_BYTES + 1)
    with pytest.raises(InputError, match="refused"):
        fetch.fetch("ecg")
    assert left(data) == []


def test_a_list_names_no_other_files_than_those_of_the_set(afdb, data, server):
    afdb["/db/SHA256SUMS.txt"] += b"".join(
        b"a" * 64 + b" " + name + b"\n"
        for name in (b"../../x.hea", b"/etc/x.hea", b"..hea", b".hea", b"3.hea", b"3.dat")
    )
    fetch.fetch("ecg")
    assert len(server.asked) == 7 and len(list((data / "ecg").iterdir())) == 7


def test_mit_bih_s_checksums_are_known_here_whatever_the_server_s_list_says():
    table = verify.published(sources.public_of("mitbih"))
    assert len(table) == 48 * 3 + 2
    assert table["100.dat"] == "b2ea3c250e56e48f4b7b90697832b8ecd1afa1e0bb31f2dcfea4ed6e1075a639"


def test_afdb_s_files_are_known_by_name():
    assert len(sources.FILES["ecg"]) == 25 * 2 + 23 + 1


@pytest.mark.parametrize("link", ["https://127.0.0.1:1/b.zip", "http://localhost:{port}/b.zip", "file:///b.zip", ""])
def test_a_record_that_sends_elsewhere_is_refused(server, data, monkeypatch, link):
    link = link.format(port=server.server_address[1])
    files = [{"key": "a.zip", "checksum": "md5:" + "0" * 32, "links": {"self": link}}]
    serve(server, {"/record": json.dumps({"files": files}).encode()})
    move(monkeypatch, "spsw-har", server.address + "/record")
    with pytest.raises(InputError, match="(refused. found: the address|cannot be downloaded)"):
        fetch.fetch("spsw-har")
    assert len(server.asked) == 1 and left(data) == []


def test_a_record_with_more_archives_than_a_set_has_is_refused(server, data, monkeypatch):
    file = {"key": "a.zip", "checksum": "md5:" + "0" * 32, "links": {"self": server.address + "/a.zip"}}
    serve(server, {"/record": json.dumps({"files": [file] * 10}).encode()})
    move(monkeypatch, "spsw-har", server.address + "/record")
    with pytest.raises(InputError, match="more than 9"):
        fetch.fetch("spsw-har")
    assert len(server.asked) == 1


def test_the_archives_of_a_record_are_together_no_larger_than_a_set(server, data, monkeypatch):
    archive = zipped({"a": bytes(100)})
    checksum = f"md5:{hashlib.md5(archive).hexdigest()}"
    files = [{"key": "a.zip", "checksum": checksum, "links": {"self": f"{server.address}/{n}.zip"}} for n in range(3)]
    body = json.dumps({"files": files}).encode()
    serve(server, {"/record": body} | {f"/{number}.zip": archive for number in range(3)})
    move(monkeypatch, "spsw-har", server.address + "/record")
    monkeypatch.setattr(fetch, "limits_of", lambda entry: Limits(largest=2 * len(archive) + 1))
    with pytest.raises(InputError, match=f"/2.zip: refused. found: {len(archive)} bytes, more than the 1 that"):
        fetch.fetch("spsw-har")


@pytest.mark.parametrize("action", [fetch.fetch, verify.verify])
def test_a_name_that_no_folder_can_have_is_no_set(action):
    with pytest.raises(InputError, match="no public data set of this name"):
        action("ucr-" + "A" * 300)


# Links and odd files in the data folder


@pytest.mark.parametrize(
    "place", ["ecg", "ecg/1.dat", "ecg/SHA256SUMS.txt", ".downloads", ".downloads/ecg", ".checksums"]
)
@pytest.mark.parametrize("to", ["there", "nowhere"])
def test_a_link_in_the_data_folder_is_not_followed(afdb, data, tmp_path, place, to):
    outside = tmp_path / "outside"
    outside.mkdir()
    (data / place).parent.mkdir(parents=True, exist_ok=True)
    (data / place).symlink_to(outside if to == "there" else outside / "nowhere")
    with pytest.raises(InputError, match=f"{place}: nothing is fetched to there. found: a link"):
        fetch.fetch("ecg")
    assert list(outside.iterdir()) == []


def test_a_link_above_a_set_is_not_followed(ucr, data, tmp_path):
    (tmp_path / "outside").mkdir()
    (data / "ucr").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="data/ucr: nothing is fetched to there"):
        fetch.fetch("ucr-Small")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("name", ["ucr-Small.zip", "ucr-Small.zip.part"])
def test_a_link_in_place_of_a_download_is_not_followed(ucr, data, tmp_path, name):
    (data / ".downloads").mkdir()
    (tmp_path / "outside").write_text("keep")
    (data / ".downloads" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match=f"{name}: nothing is fetched to there"):
        fetch.fetch("ucr-Small")
    assert (tmp_path / "outside").read_text() == "keep"


def test_the_data_folder_itself_may_be_a_link(ucr, data, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(data)
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path / "link"))
    fetch.fetch("ucr-Small")
    assert (data / "ucr" / "Small" / "Small_TEST.tsv").is_file()


@pytest.mark.parametrize("name", [".downloads/ecg/1.dat.part", "ecg/1.dat", ".downloads/ecg/1.dat", "ecg"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(afdb, data, name):
    (data / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(data / name)
    with pytest.raises(InputError, match="found: neither a file nor a folder"):
        fetch.fetch("ecg")


def test_a_file_in_place_of_a_set_is_left_alone(afdb, data, server):
    (data / "ecg").write_text("keep")
    with pytest.raises(InputError, match="ecg: a file"):
        fetch.fetch("ecg")
    assert (data / "ecg").read_text() == "keep" and server.asked == []


# Archives


def unpack(tmp_path, archive: bytes, **options):
    (tmp_path / "a.zip").write_bytes(archive)
    download.unpack(tmp_path / "a.zip", tmp_path / "folder", "by hand", **options)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "A"],
        ["a", "a/b"],
        ["a/b/c", "a/b"],
        ["."],
        ["./."],
        ["a\nb"],
        ["a\x1b[2J"],
        ["a" * 256],
        ["é" * 128],
        ["//a"],
        ["a", "./a"],
        ["a", "a//"],
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_names_that_cannot_be_files_side_by_side_are_refused(tmp_path, names):
    stream = zipped(dict.fromkeys(names, b"content"))
    if names[-1].endswith("/"):  # a folder, of which nothing is unpacked
        unpack(tmp_path, stream)
        assert left(tmp_path / "folder") == ["a"]
        return
    with pytest.raises(InputError, match="not a usable archive, and deleted"):
        unpack(tmp_path, stream)
    assert left(tmp_path) == []


def test_more_files_than_any_set_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST_FILES", 9)
    unpack(tmp_path, zipped({str(number): b"" for number in range(9)}))
    with pytest.raises(InputError, match="10 entries, more than 9"):
        unpack(tmp_path, zipped({str(number): b"" for number in range(10)}))


def test_a_table_of_contents_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "DIRECTORY", 1000)
    with pytest.raises(InputError, match="a table of .* bytes"):
        unpack(tmp_path, zipped({str(number): b"" for number in range(100)}))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_than_deflate_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", method) as archive:
        archive.writestr("a", bytes(1000))
    with pytest.raises(InputError, match="not a usable archive.*another way than by deflate"):
        unpack(tmp_path, (tmp_path / "b.zip").read_bytes())


def test_an_archive_for_which_there_is_no_space_is_kept_and_nothing_unpacked(ucr, data, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1000, 0, 1000))
    ucr["/Small.zip"] = small(series=1000)
    with pytest.raises(InputError, match="Small: cannot be written.* no space for .* bytes.* make space"):
        fetch.fetch("ucr-Small")
    assert left(data) == [".downloads/ucr-Small.zip"]


def test_an_archive_that_unpacks_to_more_than_its_set_is_refused_before_it_is_unpacked(ucr, data, monkeypatch):
    monkeypatch.setattr(fetch, "limits_of", lambda entry: Limits(unpacked=10_000))
    ucr["/Small.zip"] = small(series=2000)
    with pytest.raises(InputError, match="bytes unpacked, more than 10000"):
        fetch.fetch("ucr-Small")
    assert left(data) == []


@pytest.mark.parametrize("offset", range(0, 260, 7))
def test_an_archive_with_a_flipped_byte_gives_the_whole_files_or_the_usual_error(tmp_path, offset):
    whole = zipped({"a": b"content of a" * 3, "b": b"content of b" * 3})
    for value in (0x00, 0x01, 0x80, 0xFF):
        damaged = bytearray(whole)
        damaged[offset % len(whole)] ^= value
        with contextlib.suppress(InputError):
            unpack(tmp_path, bytes(damaged))
            assert {path.read_bytes()[-4:] for path in (tmp_path / "folder").iterdir()} <= {b"of a", b"of b"}
        shutil.rmtree(tmp_path / "folder", ignore_errors=True)


def test_an_entry_that_lies_before_the_start_of_the_archive_is_damage_and_no_full_disk(tmp_path):
    archive = zipped({"a": b"content"})
    offset = archive.rindex(b"PK\5\6") + 16  # where the end says that the table is; entries are placed by it
    archive = archive[:offset] + struct.pack("<I", struct.unpack("<I", archive[offset : offset + 4])[0] + 99) + bytes(2)
    with pytest.raises(InputError, match="not a usable archive, and deleted"):
        unpack(tmp_path, archive)


def test_an_entry_without_a_name_is_damage(tmp_path):
    archive = zipped({"a": b"content"}).replace(b"\x01\x00\x00\x00a", b"\x00\x00\x00\x00a")
    table = archive.index(b"PK\1\2")
    with pytest.raises(InputError, match="not a usable archive, and deleted"):
        unpack(tmp_path, archive[: table + 28] + b"\0\0\1\0" + archive[table + 32 :])


def test_nothing_that_is_unpacked_can_be_run(tmp_path):
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFREG | stat.S_ISUID | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(info, b"#!/bin/sh")
    unpack(tmp_path, (tmp_path / "b.zip").read_bytes())
    assert not (tmp_path / "folder" / "a").stat().st_mode & (stat.S_ISUID | 0o111)


def test_the_socket_of_a_server_that_was_given_up_is_closed(server, tmp_path):
    closed = threading.Event()

    def behave(send, request):
        try:
            while send(b"X", 0.02):
                pass
        except OSError:
            closed.set()

    server.behave = behave
    with pytest.raises(InputError):
        get(server, tmp_path)
    assert closed.wait(10)
