"""Fetch a public data set: download, check, unpack, convert, and only then put its folder in place.

    fetch("harth")    # emargin data fetch harth

Archives are kept in `.downloads/` under the data folder until they are unpacked. PhysioNet's files go straight to the
set's folder, each when its checksum is right. An interrupted download goes on where it stopped.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from emargin.data.catalogue import UCR, data_root
from emargin.data.fetch.convert import convert_dsads, convert_spsw
from emargin.data.fetch.download import download, unpack
from emargin.data.fetch.verify import NIGHTS, PHYSIONET, SUMS, folder_of, git_blob, known_name, published
from emargin.data.readers.ucr import SIDES, load_ucr
from emargin.errors import InputError

ADDRESSES = {
    "harth": "https://archive.ics.uci.edu/static/public/779/harth.zip",
    "sleepeeg": "https://figshare.com/ndownloader/articles/19930178/versions/1",
    NIGHTS: "https://physionet.org/files/sleep-edfx/1.0.0/sleep-cassette/",
    "ecg": "https://physionet.org/files/afdb/1.0.0/",
    "mitbih": "https://physionet.org/files/mitdb/1.0.0/",
    "dsads": "https://archive.ics.uci.edu/static/public/256/daily+and+sports+activities.zip",
    "spsw-har": "https://zenodo.org/api/records/8398688",  # lists the files of the record, with their MD5
    UCR: "https://www.timeseriesclassification.com/aeon-toolkit/{name}.zip",
}
BY_HAND = {
    "harth": "put its S006.csv to S029.csv into {folder}",
    "sleepeeg": "put its train.pt and val.pt into {folder}",
    NIGHTS: "put its SC4*-PSG.edf and SC4*-Hypnogram.edf into {folder}",
    "ecg": f"put its RECORDS, {SUMS}, *.hea, *.dat and *.atr into {{folder}}",
    "mitbih": f"put its RECORDS, {SUMS}, *.hea, *.dat and *.atr into {{folder}}",
    "dsads": 'unpack it, and convert it with emargin.data.fetch.archives.convert.convert_dsads("UNPACKED/data", "{folder}")',
    "spsw-har": 'unpack its archive, and convert it with emargin.data.fetch.archives.convert.convert_spsw("UNPACKED/DATA", '
    '"{folder}")',
    UCR: "put {name}_TRAIN.tsv and {name}_TEST.tsv of the UCR time series archive of 2018 into {folder}",
}
FEATURES = "sleepedf-features"


def fetch(name: str) -> Path:
    """Get a public set, `sleepedf` (the nights behind sleepeeg) or `ucr-NAME`; returns its folder.

    A set that came as an archive and is there already is left alone. Of the sets that come file by file (`ecg`,
    `mitbih`, `sleepedf`) what is missing or damaged is fetched.
    Raises InputError, with the manual steps, where a server does not answer, a file is not the published one, or an
    archive cannot be used; nothing half-written takes a set's place then.
    """
    name = known_name(name)
    if name == FEATURES:
        raise InputError(
            f"{FEATURES} cannot be fetched: a third party computed the features from Sleep-EDF and keeps "
            "them in a repository, not in an archive",
            wanted="the files data/processed/sleep_edf_subjects/SC4*.npz of the public repository "
            "matteo-omizzolo/sleep-EDF (MIT licence), commit a30daa3f",
            todo="write X and y of each night as the arrays features (float32) and labels (int8) of an "
            f"npz file of the same name into {folder_of(name)}, and beside them dataset.json: "
            '{"classes": ["W", "N1", "N2", "N3", "REM"]}',
        )
    folder = folder_of(name)
    if name in PHYSIONET or name == NIGHTS:
        _fetch_files(name, folder)
    elif folder.is_dir() and any(folder.iterdir()):
        print(f"{name}: {folder} is there already; emargin data verify {name} looks at it")
        return folder
    else:
        _fetch_archive(name, folder)
    print(f"{name}: complete in {folder}")
    return folder


def by_hand(name: str, folder: Path) -> str:
    """The manual steps."""
    kind, series = (UCR, name.removeprefix(UCR)) if name.startswith(UCR) else (name, "")
    return (
        f"try again later; or by hand: get {ADDRESSES[kind].format(name=series)}, "
        f"{BY_HAND[kind].format(folder=folder, name=series)}, and run emargin data verify {name}"
    )


def _fetch_files(name: str, folder: Path) -> None:
    """PhysioNet's files, one by one, each by its SHA-256."""
    if name == NIGHTS and any(folder.glob("[!.]*.pt")):
        raise InputError(
            f"{folder}: holds SleepEEG as TF-C prepared it",
            found="*.pt",
            wanted="one kind of files",
            todo="move them to another folder first",
        )
    manual = by_hand(name, folder)
    if name in PHYSIONET:
        download(ADDRESSES[name] + SUMS, folder / SUMS, manual)
    wanted = published(name, folder)
    for number, (file, checksum) in enumerate(sorted(wanted.items()), 1):
        download(
            ADDRESSES[name] + file,
            folder / file,
            manual,
            checksum=f"sha256:{checksum}",
            title=f"{file} ({number} of {len(wanted)})",
        )


def _fetch_archive(name: str, folder: Path) -> None:
    manual = by_hand(name, folder)
    downloads = data_root() / ".downloads"
    if name == "spsw-har":
        archives = _zenodo_archives(ADDRESSES[name], downloads, manual)
    else:
        kind, series = (UCR, name.removeprefix(UCR)) if name.startswith(UCR) else (name, "")
        archives = [downloads / f"{name}.zip"]
        download(ADDRESSES[kind].format(name=series), archives[0], manual)
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        (beside / "unpacked").mkdir(parents=True)
        for archive in archives:
            unpack(archive, beside / "unpacked", manual)
        # A folder of the set's own name, because that is where the reader of the UCR archive takes a set's name from.
        made = beside / folder.name
        INSTALL.get(name, _install_ucr)(beside / "unpacked", made)
        made.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written",
            found=error,
            wanted="a writable folder with enough space",
            todo="make space, or name another folder with EMARGIN_DATA",
        ) from error
    finally:
        if beside.exists():
            shutil.rmtree(beside)
    for archive in archives:
        archive.unlink()


def _zenodo_archives(address: str, downloads: Path, manual: str) -> list[Path]:
    """The zip archives of a Zenodo record, downloaded and checked by the MD5 that the record gives."""
    record = downloads / "zenodo.json"
    record.unlink(missing_ok=True)  # cheap to get again, and what Zenodo says may change
    download(address, record, manual)
    try:
        listed = [
            (file["key"], file["checksum"], file["links"]["self"])
            for file in json.loads(record.read_text(encoding="utf-8"))["files"]
        ]
        usable = all(
            re.fullmatch(r"md5:[0-9a-f]{32}", checksum) and isinstance(link, str) for _, checksum, link in listed
        )
        archives = [(checksum, link) for key, checksum, link in listed if key.lower().endswith(".zip")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{address}: not a record of Zenodo",
            found=f"{type(error).__name__}: {error}",
            wanted="a JSON object that lists files",
            todo=manual,
        ) from error
    finally:
        record.unlink()
    if not usable or not archives:
        raise InputError(f"{address}: no zip archive with an MD5", found=[key for key, *_ in listed], todo=manual)
    paths = []
    for number, (checksum, link) in enumerate(archives):
        paths.append(downloads / f"spsw-har-{number}.zip")
        download(link, paths[-1], manual, checksum=checksum)
    return paths


def _install_harth(unpacked: Path, made: Path) -> None:
    _pick(unpacked, made, "S[0-9][0-9][0-9].csv")
    wanted = published("harth", made)
    wrong = [file for file in wanted if not (made / file).is_file() or git_blob(made / file) != wanted[file]]
    if wrong:
        raise InputError(
            "HARTH's archive does not hold the published files of its first release, and was kept",
            found=f"other or missing: {', '.join(wrong)}",
            wanted="the published checksums",
            todo=f"delete {data_root() / '.downloads' / 'harth.zip'} to get it again; to use it all the "
            f"same, unpack its CSV files into {folder_of('harth')}",
        )


def _install_sleepeeg(unpacked: Path, made: Path) -> None:
    from emargin.data.readers.sleepeeg import load_sleepeeg  # imports torch, which the other sets do without

    _pick(unpacked, made, "train.pt", "val.pt")
    load_sleepeeg(made)


def _install_dsads(unpacked: Path, made: Path) -> None:
    convert_dsads(_parent_of(unpacked, "a01/p1/s01.txt"), made)


def _install_spsw(unpacked: Path, made: Path) -> None:
    convert_spsw(_parent_of(unpacked, "s01/s01_01_sp.csv"), made)


def _install_ucr(unpacked: Path, made: Path) -> None:
    """The archive's .tsv files as they are, or else its .ts files in their form."""
    name = made.name
    if any(unpacked.rglob(f"{name}_TRAIN.tsv")):
        _pick(unpacked, made, *(f"{name}_{side}.tsv" for side in SIDES))
    else:
        _pick(unpacked, made, *(f"{name}_{side}.ts" for side in SIDES))
        for side in SIDES:
            path = made / f"{name}_{side}.ts"
            path.with_suffix(".tsv").write_text(_tsv(path), encoding="utf-8")
            path.unlink()
    load_ucr(made)


INSTALL: dict[str, Callable[[Path, Path], None]] = {
    "harth": _install_harth,
    "sleepeeg": _install_sleepeeg,
    "dsads": _install_dsads,
    "spsw-har": _install_spsw,
}


def _pick(unpacked: Path, made: Path, *patterns: str) -> None:
    """Move the files of these names, which may lie at any depth, to the new folder."""
    made.mkdir()
    for pattern in patterns:
        paths = sorted(unpacked.rglob(pattern))
        names = [path.name for path in paths]
        if not paths or len(set(names)) < len(names):
            raise InputError(
                "the archive does not hold the set",
                found=f"{len(paths)} files {pattern}",
                wanted="each of the set's files, once",
                todo="look at what the archive's page says",
            )
        for path in paths:
            path.rename(made / path.name)


def _parent_of(unpacked: Path, first: str) -> Path:
    """The folder that holds the set's first file."""
    parents = [
        path.parents[first.count("/")]
        for path in sorted(unpacked.rglob(PurePosixPath(first).name))
        if path.as_posix().endswith(f"/{first}")
    ]
    if len(parents) != 1:
        raise InputError(
            "the archive does not hold the set",
            found=f"{len(parents)} files {first}",
            wanted="one",
            todo="look at what the archive's page says",
        )
    return parents[0]


def _tsv(path: Path) -> str:
    """Series of one channel from a .ts file, `value,value,...:class` after `@data`, class first; digits as they are."""
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#@":
            continue
        values, *rest = line.split(":")
        if len(rest) != 1 or "(" in values:
            raise InputError(
                f"{path.name}, line {number}: not a series of one channel with a class",
                found=repr(line[:80]),
                wanted="value,value,...:class",
                todo="choose another set",
            )
        lines.append("\t".join([rest[0], *values.split(",")]).replace("?", "NaN"))
    return "\n".join(lines) + "\n"
