"""One checksum for all files that a data set was read from: its line in the provenance record."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def files_digest(paths: Iterable[Path]) -> str:
    """Return the SHA-256 (hex) over the names and contents of files, read as streams.

    The order of `paths` and the folder they lie in do not matter.

    Raises
    ------
    OSError
        For a file that cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(map(Path, paths), key=lambda path: path.name):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        # The length of every part is fixed or marked, so that no two sets of files make the same stream of bytes.
        digest.update(f"{content} {path.name}\0".encode())
    return digest.hexdigest()
