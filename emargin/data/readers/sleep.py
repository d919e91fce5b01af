"""SleepEEG from what its folder holds: the windows that TF-C prepared, or the nights of Sleep-EDF.

recordings = load_sleep(Path("data/sleepeeg"))
"""

from pathlib import Path

from emargin.data.recordings import RecordingSet
from emargin.errors import InputError, MissingData


def load_sleep(folder: Path, *, n_fft: int = 178, hop: int = 178) -> RecordingSet:
    """Read SleepEEG by `load_sleepeeg` where there are .pt files, by `load_sleepedf` where there are .edf files.

    Parameters
    ----------
    folder : Path
        Holds files of one of the two kinds.
    n_fft, hop : int
        Window and step, in samples, of the frames that will be cut. Windows of TF-C must be the frames.

    Returns
    -------
    RecordingSet
        Values `(samples, 1)` at 100 Hz, labels 0 W, 1 N1, 2 N2, 3 N3, 4 REM.

    Raises
    ------
    MissingData
        For a folder with neither.
    InputError
        For a folder with both, and for files that cannot be used.
    """
    prepared, nights = any(folder.glob("[!.]*.pt")), any(folder.glob("[!.]*.edf"))
    if prepared and nights:
        raise InputError(
            f"{folder}: two sources of SleepEEG",
            found="*.pt and *.edf",
            wanted="the .pt files that TF-C prepared, or the .edf files of Sleep-EDF",
            todo="move one kind to another folder",
        )
    if prepared:
        from emargin.data.readers.sleepeeg import load_sleepeeg  # each of the two imports what the other does without

        return load_sleepeeg(folder, n_fft=n_fft, hop=hop)
    if nights:
        from emargin.data.readers.sleepedf import load_sleepedf

        return load_sleepedf(folder)
    raise MissingData(
        f"{folder}: neither .pt nor .edf files",
        wanted="the files of TF-C or of Sleep-EDF",
        todo="emargin data fetch sleepeeg gets the former, emargin data fetch sleepedf the latter",
    )
