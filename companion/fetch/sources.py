"""What can be fetched by name: the public sets of the catalogue, and the nights behind one of them."""

from contextlib import suppress

from emargin.data.catalogue import DATASETS, SETS, UCR, Download, Entry, entry_of
from emargin.errors import InputError

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
        if entry.reader and not entry.is_folder:
            return DATASETS.get(entry.recordings, entry)
    raise InputError(
        "no public data set of this name",
        found=repr(name),
        wanted=f"{', '.join(entry.name for entry in SETS)}, {NIGHTS.name} or {UCR}NAME",
    )
