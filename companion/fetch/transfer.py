"""Get the bytes of an address, and give up on a server that sends too much, too slowly, or from elsewhere.

    transfer(address, Path("harth.zip.part"), "harth.zip", Limits(largest=10**9), origin=address)

What a server says of itself (length, encoding, where the file has moved to) is held against the limits, never trusted.
"""

import errno
import http.client
import queue
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import parse_url

from companion.fetch.sources import Limits

BLOCK = 1 << 16  # bytes read at a time
QUEUED = 16  # blocks that may wait for the disk
REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
# What requests, urllib3 and http.client raise on answers that break off or that they cannot read.
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


class Refused(Exception):
    """A server sent, or sent us to, what the limits forbid."""


def transfer(address: str, part: Path, title: str, limits: Limits, origin: str) -> None:
    """Download to `part`, on from what is there if the server can.

    origin: the address whose host and scheme are kept to. That the server's file is still the one that `part` started
    with shows in its checksum, or in those of the archive.

    Raises
    ------
    Refused
        For what the limits forbid; `part` is gone where its content is at fault.
    requests.RequestException
        Where the connection breaks off, or is too slow; `part` holds what came.
    OSError
        Where the disk does not take it.
    """
    start = part.stat().st_size if part.exists() else 0
    if start >= limits.largest:
        part.unlink()
        start = 0
    line = _Line()
    with closing(_in_time(_answer_and_blocks(line, address, start, limits, origin), line, limits)) as arriving:
        answer = next(arriving)
        begins, size = _range_of(answer, start)
        if start and (answer.status_code == 416 or answer.status_code == 206 and begins != start):
            part.unlink()  # longer than the file, or another range than was asked for
            arriving.close()
            return transfer(address, part, title, limits, origin)
        answer.raise_for_status()
        if answer.status_code != (206 if begins > 0 else 200):
            raise requests.HTTPError(f"status {answer.status_code} in place of the file")
        try:
            _check_answer(answer, size, limits)
            if size is not None and shutil.disk_usage(part.parent).free < size - begins:
                raise OSError(errno.ENOSPC, f"no space for its {size} bytes")
            with (
                part.open("ab" if begins else "wb") as file,
                tqdm(
                    total=size, initial=begins, desc=title, unit="B", unit_scale=True, leave=False, disable=None
                ) as bar,
            ):
                here = begins
                for block in arriving:
                    here += len(block)
                    if here > limits.largest:
                        raise Refused(f"more than the {limits.largest} bytes that this file may have")
                    file.write(block)
                    bar.update(len(block))
        except Refused:
            part.unlink(missing_ok=True)
            raise
    if size is not None and here != size:
        if here > size:
            part.unlink()
        raise requests.ConnectionError(f"the connection was cut after {here} of {size} bytes")


def _range_of(answer: requests.Response, start: int) -> tuple[int, int | None]:
    """Return at which byte of the file the answer begins (-1 where that is not said) and the size of the whole file."""
    if answer.status_code != 206:
        length = answer.headers.get("Content-Length")
        said = re.fullmatch(r"([0-9]{1,18})(?:, *\1)*", length or "")
        if length is not None and not said:
            raise requests.HTTPError(f"the length {length[:40]!r} in place of a number of bytes")
        return 0, int(said[1]) if said else None
    said = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", answer.headers.get("Content-Range", "").strip()
    )
    if not said or not start:
        return -1, None
    return int(said[1]), int(said[2]) + 1 if said[3] == "*" else int(said[3])


def _check_answer(answer: requests.Response, size: int | None, limits: Limits) -> None:
    for header, usable in (("Content-Encoding", ("", "identity")), ("Transfer-Encoding", ("", "chunked"))):
        encoding = answer.headers.get(header, "").strip().lower()
        if encoding not in usable:
            raise Refused(f"a body with the encoding {encoding[:40]!r}, which was not asked for")
    if size is not None and size > limits.largest:
        raise Refused(f"{size} bytes, more than the {limits.largest} that this file may have")


class _Line(HTTPAdapter):
    """Connections that can be closed from another thread than the one that waits for them."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.hung_up = False
        super().__init__()

    def get_connection_with_tls_context(self, *arguments, **options):
        pool = super().get_connection_with_tls_context(*arguments, **options)
        line = self

        class Connection(pool.ConnectionCls):
            def connect(self) -> None:
                super().connect()
                line.sockets.append(self.sock)
                if line.hung_up:
                    raise OSError("given up")

        pool.ConnectionCls = Connection
        return pool

    def hang_up(self) -> None:
        self.hung_up = True
        for connected in self.sockets:
            with suppress(OSError):  # closed already
                connected.shutdown(socket.SHUT_RDWR)


def _answer_and_blocks(line: _Line, address: str, start: int, limits: Limits, origin: str) -> Iterator:
    """Yield the answer without its body, then the blocks of the body as they come."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.Session() as session:
        for scheme in PORTS:
            session.mount(f"{scheme}://", line)
        for _ in range(REDIRECTS + 1):
            _check_address(address, origin, limits.hosts)
            with session.get(
                address, headers=headers, stream=True, timeout=limits.answer, allow_redirects=False
            ) as answer:
                moved_to = session.get_redirect_target(answer)
                if moved_to is None:
                    yield answer
                    # Not iter_content, which waits until a block is full, and would decode what was not asked for.
                    while block := answer.raw.read1(BLOCK, decode_content=False):
                        yield block
                    return
                address = urljoin(address, moved_to)
            line.close()  # the other side may close a connection that was kept just when it is used again
    raise requests.TooManyRedirects(f"more than {REDIRECTS} redirects")


def _check_address(address: str, origin: str, hosts: tuple[str, ...]) -> None:
    """Refuse what a redirect may not lead to: other hosts and schemes, and plain http from https."""
    before, now = parse_url(origin), parse_url(address)
    schemes = [scheme for scheme in PORTS if scheme in (before.scheme, "https")]
    odd = re.search(r"[\s\\\x00-\x1f\x7f]", address) or now.auth or not now.host
    allowed = {(before.host, before.port or PORTS.get(before.scheme or "")), (before.host, before.port or 443)}
    for host in hosts:
        name, _, port = host.partition(":")
        allowed.add((name, int(port or 443)))
    if odd or now.scheme not in schemes or (now.host, now.port or PORTS[now.scheme]) not in allowed:
        wanted = ", ".join(dict.fromkeys((str(before.host), *hosts)))
        raise Refused(f"the address {address[:200]!r}, and not one at {wanted} by {' or '.join(schemes)}")


def _in_time(source: Iterator, line: _Line, limits: Limits) -> Iterator:
    """Yield what another thread takes from an answer and its blocks, and give up where that is too slow.

    A time limit of the connection itself does not do: it starts again with each byte, also inside of the headers.
    """
    arrived: queue.Queue = queue.Queue(QUEUED)
    left = threading.Event()

    def work() -> None:
        end: Exception | None = None
        try:
            for item in source:
                arrived.put(item)
                if left.is_set():
                    break
        except Exception as error:  # raised where the items are taken
            end = error
        finally:
            arrived.put(end)

    threading.Thread(target=work, daemon=True, name="download").start()
    begun = mark = time.monotonic()
    patience, came, answered = limits.answer, 0, False
    try:
        while True:
            now = time.monotonic()
            if now - begun >= limits.seconds:
                raise requests.Timeout(f"not whole after {limits.seconds:g} s")
            if now - mark >= patience:
                if not answered:
                    raise requests.Timeout(f"no answer for {patience:g} s")
                if came < limits.speed * patience:
                    raise requests.Timeout(f"{came} bytes in {patience:g} s, less than {limits.speed:g} a second")
                mark, came = now, 0
            try:
                item = arrived.get(timeout=max(0, min(mark + patience, begun + limits.seconds) - now))
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, Refused):
                raise item
            if isinstance(item, BROKEN):
                raise requests.ConnectionError(f"{type(item).__name__}: {item}") from item
            if isinstance(item, Exception):
                raise item
            if isinstance(item, bytes):
                came += len(item)
            else:
                mark, patience, answered = time.monotonic(), limits.window, True
            yield item
    finally:
        left.set()
        line.hang_up()
        with suppress(queue.Empty):  # so that the thread does not wait for room
            while True:
                arrived.get_nowait()
