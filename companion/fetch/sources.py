"""What can be fetched by name, and what is known here of its files, whatever a server says."""

from contextlib import suppress
from dataclasses import dataclass

from emargin.data.catalogue import DATASETS, SETS, UCR, Download, Entry, entry_of
from emargin.errors import InputError


@dataclass(frozen=True)
class Limits:
    """What a server may ask of us.

    Attributes
    ----------
    largest : int
        Bytes of one file.
    unpacked : int
        Bytes that an archive may unpack to.
    hosts : tuple of str
        Further hosts that the file may be moved to, as "name" or "name:port".
    speed, window : float
        Bytes a second that must come over every so many seconds.
    answer : float
        Seconds until the answer begins, with all that it redirects to.
    seconds : float
        Until the file is whole.
    """

    largest: int = 1_000_000_000
    unpacked: int = 4_000_000_000
    hosts: tuple[str, ...] = ()
    speed: float = 1000
    window: float = 30
    answer: float = 60
    seconds: float = 6 * 3600


LIST_BYTES = 1_000_000  # of a list of checksums, and of a record of Zenodo
MOST_FILES = 20_000  # in an archive; DSADS has 9,120
LONGEST_NAME = 100  # of a set of the UCR archive
# Well above what the files have. The archive of sleepeeg lies with another host than its address.
LIMITS = {
    "harth": Limits(largest=1_000_000_000, unpacked=4_000_000_000),
    "sleepeeg": Limits(
        largest=2_000_000_000,
        unpacked=4_000_000_000,
        hosts=("ndownloader.figshare.com", "s3-eu-west-1.amazonaws.com"),
    ),
    "sleepedf": Limits(largest=128_000_000),  # a night of 24 hours has 52 MB
    "ecg": Limits(largest=64_000_000),  # a record of ten hours has 28 MB
    "mitbih": Limits(largest=4_000_000),  # a record has 2 MB
    "dsads": Limits(largest=512_000_000, unpacked=2_000_000_000),
    "spsw-har": Limits(largest=512_000_000, unpacked=2_000_000_000),
    UCR: Limits(largest=512_000_000, unpacked=2_000_000_000),  # of any set of the archive, in several formats
}
UCR_LIMITS = Limits(largest=64_000_000, unpacked=256_000_000)  # of the book's sets, which have 1 to 5 MB in one format

# AFDB's records; the first two are published without signals.
AFDB_RECORDS = (
    *("00735", "03665", "04015", "04043", "04048", "04126", "04746", "04908", "04936", "05091", "05121", "05261"),
    *("06426", "06453", "06995", "07162", "07859", "07879", "07910", "08215", "08219", "08378", "08405", "08434"),
    "08455",
)
# The files of the sets whose checksums only the server has, so that a list of it that was cut is no whole set.
FILES = {
    "ecg": frozenset(
        {
            "RECORDS",
            *(f"{record}.{kind}" for record in AFDB_RECORDS for kind in ("hea", "atr")),
            *(f"{record}.dat" for record in AFDB_RECORDS[2:]),
        }
    )
}
# Series on the training and the test side of the book's sets of the UCR archive.
SERIES = {
    "Adiac": (390, 391),
    "CricketX": (390, 390),
    "FacesUCR": (200, 2050),
    "FiftyWords": (450, 455),
    "SwedishLeaf": (500, 625),
    "WordSynonyms": (267, 638),
}

# Sleep-EDF's own nights, which can be fetched by this name for the reader of sleepeeg.
NIGHTS = Entry(
    name="sleepedf",
    title="Sleep-EDF",
    origin="Sleep-EDF (PhysioNet)",
    reader="emargin.data.readers.sleepedf:load_sleepedf",
    subfolder="sleepeeg",
    download=Download(
        address="https://physionet.org/files/sleep-edfx/1.0.0/sleep-cassette/",
        by_hand="put its SC4*-PSG.edf and SC4*-Hypnogram.edf into {folder}",
        kind="files",
        checksums="sleepedf.sha256.txt",
    ),
)


def public_of(name: str) -> Entry:
    """Return the entry of public recordings.

    Parameters
    ----------
    name : str
        Of a real set by any of its geometries; `sleepedf`; or `ucr-NAME`.

    Raises
    ------
    InputError
        For any other name.
    """
    with suppress(InputError):
        entry = NIGHTS if name == NIGHTS.name else entry_of(name)
        if entry.reader and not entry.is_folder and len(name) <= LONGEST_NAME:
            return DATASETS.get(entry.recordings, entry)
    raise InputError(
        "no public data set of this name",
        found=repr(name[:200]),
        wanted=f"{', '.join(entry.name for entry in SETS)}, {NIGHTS.name} or {UCR}NAME",
    )


def limits_of(entry: Entry) -> Limits:
    """Return what a server may ask of us for the files of a set."""
    if entry.title in SERIES and entry.has_series:
        return UCR_LIMITS
    return LIMITS.get(UCR if entry.has_series else entry.name, Limits())
