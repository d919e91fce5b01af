"""The data sets by name: all that is fixed for each, in one entry.

`SETS` has one entry a data set: where its files are got, what reads them, the settings of its frames, its titles and
its licence. To add a data set, write its reader and one entry here.

    entry = entry_of("ecg-released")
    entry.reader, entry.settings.n_fft, entry.folder

The paper's three sets come in the geometry of the paper's section 4 where it is unambiguous:

- `harth`: text and released configuration agree.
- `ecg`: the text's D 252, T 500; `ecg-released` is the released configuration's D 1502, T 200, with its own draw.
- `sleepeeg`: the released configuration's STFT of 178 samples, D 90, T 200, because the paper says that every set goes
  through the STFT; `sleepeeg-paper` is the text's D 178, T 300, which only fits raw windows of 178 samples.

The name of a geometry frames the same recordings in another way, and that is all that differs: temperature and
iterations stay the paper's, the margin is the paper's 5 for all sets. Each of the five names has a simulator (`-sim`)
and a white noise (`-noise`). Further real sets take the hyperparameters of the nearest of the three. Any set of
the UCR archive is `ucr-NAME`, and a folder with the reader's own recordings goes by its path.
"""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from emargin.errors import InputError, MissingData
from emargin.fields import known
from emargin.paths import home

UCR = "ucr-"  # what the name of a set of the UCR archive starts with
TABLES = (".csv", ".tsv")  # how names end of files that `emargin data import` reads
SIMULATE = "emargin.data.simulated:simulate"


@dataclass(frozen=True)
class Settings:
    """What is fixed for one data set.

    Attributes
    ----------
    n_fft, hop : int or None
        STFT window and step in samples; None where frames are no STFT.
    sequence_length : int
        T, frames in a sequence.
    stride : int
        Frames from the start of a sequence to that of the next.
    draw : tuple of int
        Frames of each class for clustering (nominal; all there are where there are fewer).
    temperature : float
        tau.
    iterations : int
        Optimiser steps.
    train_share : float
        Part of the sequences (protocol `released`) or subjects (`original`) that is trained on.
    standardise : {"all", "none"}
        What recordings protocol `released` computes the statistics of features from.
    window : int or None
        Samples of a frame that is a piece of the signal as it is, not transformed and not overlapping.
    joined : {"all", "person"}
        What protocol `released` joins end to end: all recordings, or those of a person, as the set's loader in the
        released code does. No sequence crosses from one of the joined pieces into the next.
    """

    n_fft: int | None
    hop: int | None
    sequence_length: int
    stride: int
    draw: tuple[int, ...]
    temperature: float
    iterations: int
    train_share: float = 0.8
    standardise: str = "none"
    window: int | None = None
    joined: str = "all"


@dataclass(frozen=True)
class Download:
    """How the public files of a data set are got.

    Attributes
    ----------
    address : str
        Of the archive, of the record that lists the archives, or of the folder that holds the files, by `kind`.
    by_hand : str
        What to do with what lies there, without this module; `{folder}` stands for the set's folder.
    kind : {"zip", "zenodo", "files"}
        One zip archive; a record of Zenodo with zip archives; the single files that `checksums` lists.
    files : tuple of str
        Patterns of the files that are taken from an archive, at any depth. By default all that are not hidden.
    install : str or None
        "module:function", called as `function(unpacked, folder)`, makes the set's folder from the unpacked archive,
        where it takes more than to pick `files`.
    checksums : str or None
        A table in `companion/fetch/published`, or `SHA256SUMS.txt`, the list that PhysioNet keeps beside the files,
        where it is not known here; `companion.fetch.sources.FILES` has the names then. None where nothing was
        published.
    """

    address: str
    by_hand: str
    kind: str = "zip"
    files: tuple[str, ...] = ("[!.]*",)
    install: str | None = None
    checksums: str | None = None


@dataclass(frozen=True)
class Entry:
    """One name of the catalogue.

    Attributes
    ----------
    name : str
        What experiments call it.
    title, origin : str
        For tables and pages: a short title, and what the files are and where from.
    settings : Settings or None
        None where they follow from the files; `settings_of` reads them then.
    reader : str or None
        "module:function", called as `function(folder)`, returns a `RecordingSet`. None for simulations.
    geometries : dict
        Further names of the same recordings, with their settings.
    simulator : str or None
        What `emargin.data.simulated.simulate` calls the simulation that stands in for the recordings.
    nearest : str or None
        The set of the paper whose values stand beside those of this one.
    licence, citation : str or None
        Of the files; the key in the bibliography.
    download : Download or None
        None where the files cannot be fetched; `unfetched` says why, and `how_to_get` what to do.
    how_to_get : str
        What to do where the files are missing, if it is more than to fetch them or to put them in place; `{folder}`
        stands for the set's folder.
    unfetched : str
        Why the files cannot be fetched.
    files : tuple of str
        Patterns of the files in the folder that the recordings are read from.
    reads_windows : bool
        The files may hold windows that must become the frames, so the reader is told `n_fft` and `hop`, in samples.
    frame_seconds : float or None
        What a frame of ready features stands for, where that is known.
    rate : float or None
        Samples a second of the signals that the reader and the simulator give; None for ready features, for series, and
        for a folder of the reader's own, which says itself.
    has_series : bool
        A recording is a series of one class, and the archive has a split of its own: scored by series, never joined
        end to end, and of no known person or sampling rate.
    size : tuple of int or None
        Of a set with series: number of classes, samples in a series.
    is_folder : bool
        A folder with the reader's own recordings, and `name` is its path.
    recordings : str
        Name of the recordings, which the geometries of a set share. By default `name`.
    subfolder : str
        The folder of the files below that of all real data. By default `recordings`.
    """

    name: str
    title: str
    origin: str
    settings: Settings | None = None
    reader: str | None = None
    geometries: dict[str, Settings] = field(default_factory=dict)
    simulator: str | None = None
    nearest: str | None = None
    licence: str | None = None
    citation: str | None = None
    download: Download | None = None
    how_to_get: str = ""
    unfetched: str = "no download is known"
    files: tuple[str, ...] = ("[!.]*",)
    reads_windows: bool = False
    frame_seconds: float | None = None
    rate: float | None = None
    has_series: bool = False
    size: tuple[int, int] | None = None
    is_folder: bool = False
    recordings: str = ""
    subfolder: str = ""

    def __post_init__(self):
        object.__setattr__(self, "recordings", self.recordings or self.name)
        object.__setattr__(self, "subfolder", self.subfolder or self.recordings)

    @property
    def folder(self) -> Path:
        """Return where the real recordings are looked for."""
        return Path(self.name) if self.is_folder else data_root() / self.subfolder

    @property
    def instructions(self) -> str:
        """Return what to do where the files are missing."""
        fetch = f"emargin data fetch {self.recordings}, which says how to do it by hand, too"
        usual = fetch if self.download else f"put its files into {self.folder}"
        return self.how_to_get.format(folder=self.folder) or usual

    @property
    def paths(self) -> list[Path]:
        """Return the files that the recordings are read from: none where they are not there."""
        return [path for pattern in self.files for path in self.folder.glob(pattern) if path.is_file()]

    def reader_for(self, source: str) -> str:
        """Return the function that gives the recordings of a source, as "module:function".

        Parameters
        ----------
        source : {"real", "simulated"}
        """
        reader = SIMULATE if source == "simulated" else self.reader
        assert reader is not None, "resolve refuses source real where there is no reader"
        return reader


HARTH = Settings(
    n_fft=50,
    hop=25,
    sequence_length=119,
    stride=24,
    draw=(1000,) * 11 + (500,),
    temperature=0.05,
    iterations=600,
    train_share=0.5,
    standardise="all",
    joined="person",
)
SLEEPEEG = Settings(178, 178, sequence_length=200, stride=200, draw=(1000,) * 5, temperature=0.1, iterations=600)
SLEEPEEG_PAPER = replace(SLEEPEEG, n_fft=None, hop=None, window=178, sequence_length=300, stride=300)
ECG = Settings(250, 125, sequence_length=500, stride=500, draw=(1577, 972, 459, 1467), temperature=0.5, iterations=200)
MITBIH_BEATS = replace(ECG, draw=(1000,) * 4)
ECG_RELEASED = replace(ECG, n_fft=1500, hop=750, sequence_length=200, stride=200, draw=(1000, 162, 77, 800))

# As HARTH: frames of a second, half overlapping (12 of 25 samples), and sequences of 119 of them, 57 s; a person's
# 95 minutes make 490 sequences. Half of the eight people are trained on, and everyone does all nineteen activities.
# Neither this set nor the next has a loader in the released code: protocol `released` joins all their recordings.
DSADS = replace(HARTH, n_fft=25, hop=12, draw=(1000,) * 19, joined="all")
# Executions last 9 to 15 s and standing up a little more than one, so frames are of half a second (24 of 50 samples a
# second), half overlapping, and T is 24, 6 s: the shortest execution has 34 frames. The stride of 2 leaves at most one
# frame of an execution's end, which is the sitting down, outside all sequences.
SPSW_HAR = replace(HARTH, n_fft=24, hop=12, sequence_length=24, stride=2, draw=(1000,) * 5, joined="all")
# Frames are epochs of 30 s already. T is 120, one hour: a record has 7 to 23 sequences (T 200 would leave four).
SLEEPEDF_FEATURES = replace(SLEEPEEG, n_fft=None, hop=None, sequence_length=120, stride=120)

PHYSIONET = Download(
    address="https://physionet.org/files/{}/1.0.0/",
    by_hand="put its RECORDS, SHA256SUMS.txt, *.hea, *.dat and *.atr into {folder}",
    kind="files",
    checksums="SHA256SUMS.txt",
)
NPZ_FILES = ("[!.]*.npz", "dataset.json")
WFDB_FILES = ("RECORDS", "[!.]*.hea", "[!.]*.dat", "[!.]*.atr")
SETS = (
    Entry(
        name="harth",
        title="HARTH",
        origin="HARTH (UCI data set 779)",
        citation="logacjov2021harth",
        licence="CC BY 4.0",
        settings=HARTH,
        reader="emargin.data.readers.harth:load_harth",
        rate=50,
        files=("S[0-9][0-9][0-9].csv",),
        simulator="harth-sim",
        nearest="harth",
        download=Download(
            address="https://archive.ics.uci.edu/static/public/779/harth.zip",
            by_hand="put its S006.csv to S029.csv into {folder}",
            files=("S[0-9][0-9][0-9].csv",),
            checksums="harth.git-blobs.txt",
        ),
    ),
    Entry(
        name="sleepeeg",
        title="SleepEEG",
        origin="Sleep-EDF (PhysioNet), or SleepEEG as TF-C prepared it",
        citation="kemp2000sleepedf",
        licence="ODC-By 1.0 (Sleep-EDF)",
        settings=SLEEPEEG,
        geometries={"sleepeeg-paper": SLEEPEEG_PAPER},
        reader="emargin.data.readers.sleep:load_sleep",
        rate=100,
        files=("train.pt", "val.pt", "S[CT][47]*.edf"),
        reads_windows=True,
        simulator="sleepeeg-sim",
        nearest="sleepeeg",
        how_to_get="emargin data fetch sleepeeg gets the windows that TF-C prepared, emargin data fetch sleepedf the "
        "nights they were cut from",
        download=Download(
            address="https://figshare.com/ndownloader/articles/19930178/versions/1",
            by_hand="put its train.pt and val.pt into {folder}",
            files=("train.pt", "val.pt"),
        ),
    ),
    Entry(
        name="ecg",
        title="ECG",
        origin="MIT-BIH Atrial Fibrillation Database (PhysioNet)",
        citation="moody1983afdb",
        licence="ODC-By 1.0",
        settings=ECG,
        geometries={"ecg-released": ECG_RELEASED},
        reader="emargin.data.readers.rhythms:load_afdb",
        rate=250,
        files=WFDB_FILES,
        simulator="ecg-sim",
        nearest="ecg",
        download=replace(PHYSIONET, address=PHYSIONET.address.format("afdb")),
    ),
    Entry(
        name="mitbih",
        title="MIT-BIH Arrhythmia",
        origin="MIT-BIH Arrhythmia Database (PhysioNet)",
        citation="moody2001mitbih",
        licence="ODC-By 1.0",
        settings=ECG,
        geometries={"mitbih-released": ECG_RELEASED},
        reader="emargin.data.readers.rhythms:load_mitbih",
        rate=250,
        files=WFDB_FILES,
        nearest="ecg",
        download=replace(PHYSIONET, address=PHYSIONET.address.format("mitdb"), checksums="mitbih.sha256.txt"),
    ),
    Entry(
        name="mitbih-beats",
        title="beats of MIT-BIH Arrhythmia",
        origin="MIT-BIH Arrhythmia Database (PhysioNet), beats",
        citation="moody2001mitbih",
        licence="ODC-By 1.0",
        settings=MITBIH_BEATS,
        reader="emargin.data.readers.beats:load_beats",
        files=WFDB_FILES,
        reads_windows=True,
        frame_seconds=0.5,
        nearest="ecg",
        subfolder="mitbih",
        unfetched="its files are those of mitbih",
        how_to_get="emargin data fetch mitbih gets its files, into {folder}",
    ),
    Entry(
        name="dsads",
        title="Daily and Sports Activities",
        origin="Daily and Sports Activities (UCI data set 256)",
        citation="barshan2010dsads",
        licence="CC BY 4.0",
        settings=DSADS,
        reader="emargin.data.readers.npz:load_folder",
        rate=25,
        files=NPZ_FILES,
        nearest="harth",
        download=Download(
            address="https://archive.ics.uci.edu/static/public/256/daily+and+sports+activities.zip",
            by_hand="unpack it, and convert it in Python: from companion.fetch.convert import convert_dsads; "
            'convert_dsads("UNPACKED/data", "{folder}")',
            install="companion.fetch.convert:install_dsads",
        ),
    ),
    Entry(
        name="spsw-har",
        title="SP-SW-HAR",
        origin="SP-SW-HAR, smartphone part (Zenodo record 8398688)",
        citation="mateysanz2023spsw",
        licence="CC BY 4.0",
        settings=SPSW_HAR,
        reader="emargin.data.readers.npz:load_folder",
        rate=50,
        files=NPZ_FILES,
        nearest="harth",
        download=Download(
            address="https://zenodo.org/api/records/8398688",  # lists the files of the record, with their MD5
            by_hand="get the zip archive that it links to, unpack it, and convert it in Python: "
            "from companion.fetch.convert import convert_spsw; "
            'convert_spsw("UNPACKED/DATA", "{folder}")',
            kind="zenodo",
            install="companion.fetch.convert:install_spsw",
        ),
    ),
    Entry(
        name="sleepedf-features",
        title="features of Sleep-EDF",
        origin="spectral features of Sleep-EDF, from matteo-omizzolo/sleep-EDF",
        citation="omizzolo2025sleep",
        licence="ODC-By 1.0 (Sleep-EDF)",
        settings=SLEEPEDF_FEATURES,
        reader="emargin.data.readers.sleepedf_features:load_sleepedf_features",
        files=NPZ_FILES,
        frame_seconds=30,
        nearest="sleepeeg",
        unfetched="a third party computed them from Sleep-EDF and keeps them in a repository, not in an archive",
        how_to_get="take the files data/processed/sleep_edf_subjects/SC4*.npz of the public repository "
        "matteo-omizzolo/sleep-EDF (MIT licence), commit a30daa3f; write X and y of each night as the arrays features "
        "(float32) and labels (int8) of an npz file of the same name into {folder}, and beside them dataset.json: "
        '{{"classes": ["W", "N1", "N2", "N3", "REM"]}}',
    ),
)
# Classes, and samples in a series, of the sets of the UCR archive that the book is about: an experiment on them is the
# same on a machine without their files.
UCR_SIZES = {
    "Adiac": (37, 176),
    "CricketX": (12, 300),
    "FacesUCR": (14, 131),
    "FiftyWords": (50, 270),
    "SwedishLeaf": (15, 128),
    "WordSynonyms": (25, 270),
}
UCR_ADDRESS = "https://www.timeseriesclassification.com/aeon-toolkit/{series}.zip"


def _all_names() -> dict[str, Entry]:
    """Return the entries of the real sets, of their geometries, and of what simulates them, by name."""
    real = {
        name: replace(entry, name=name, settings=settings)
        for entry in SETS
        for name, settings in ({entry.name: entry.settings} | entry.geometries).items()
    }
    simulated = {
        f"{name}-{kind}": Entry(
            name=f"{name}-{kind}",
            title=f"{name}-{kind}",
            origin="simulated by this module",
            licence="MIT",
            settings=entry.settings,
            simulator=f"{entry.recordings}-{kind}",
            rate=entry.rate,
            recordings=f"{entry.recordings}-{kind}",
        )
        for kind in ("sim", "noise")
        for name, entry in real.items()
        if entry.simulator
    }
    return real | simulated


DATASETS = _all_names()


def entry_of(dataset: str) -> Entry:
    """Return the entry of a data set.

    Parameters
    ----------
    dataset : str
        A name of the catalogue, `ucr-NAME`, or the path of a folder with the reader's own recordings.

    Raises
    ------
    InputError
        For any other name, for the path of a folder that is not there, and for tables that are not imported yet.
    """
    if dataset.startswith(UCR):
        return _series(dataset)
    check_imported(dataset)
    if dataset not in DATASETS and os.path.isdir(dataset):  # which a name that is too long is not
        return Entry(
            name=dataset,
            title=Path(dataset).name,
            origin="the reader's own recordings",
            reader="emargin.data.readers.npz:load_folder",
            files=NPZ_FILES,
            is_folder=True,
        )
    if "/" in dataset:
        wanted = "a folder with dataset.json and npz files"
        raise InputError("the folder of recordings is not there", found=dataset, wanted=wanted)
    known("dataset", dataset, [*DATASETS, f"{UCR}NAME", "the path of a folder"])
    return DATASETS[dataset]


def check_imported(dataset: str) -> None:
    """Raise InputError for the path of a table, or of a folder with nothing but tables; it names the command."""
    names = os.listdir(dataset) if os.path.isdir(dataset) else [dataset]
    has_tables = any(name.lower().endswith(TABLES) for name in names)
    if dataset not in DATASETS and has_tables and "dataset.json" not in names:
        todo = f"emargin data import {dataset} --time COLUMN --label COLUMN --subject COLUMN --rate HZ"
        wanted = "a folder with dataset.json and npz files"
        raise InputError("tables are imported first", found=dataset, wanted=wanted, todo=todo)


def _series(dataset: str) -> Entry:
    """Return the entry of a set of the UCR archive."""
    series = dataset.removeprefix(UCR)
    if not re.fullmatch(r"[\w-]+", series):
        raise InputError("no name of a set of the UCR archive", found=repr(dataset), wanted=f"{UCR}NAME, as {UCR}Adiac")
    size = UCR_SIZES.get(series)
    return Entry(
        name=dataset,
        title=series,
        origin="UCR time series archive, 2018",
        citation="dau2019ucr",
        licence="for research (UCR archive)",
        settings=series_settings(*size) if size else None,
        size=size,
        has_series=True,
        reader="emargin.data.readers.ucr:load_ucr",
        files=(f"{series}_TRAIN.tsv", f"{series}_TEST.tsv"),
        subfolder=f"ucr/{series}",
        download=Download(
            address=UCR_ADDRESS.format(series=series),
            by_hand=f"put {series}_TRAIN.tsv and {series}_TEST.tsv of the UCR time series archive of 2018 into "
            "{folder}",
            install="companion.fetch.convert:install_ucr",
        ),
    )


def rate_of(dataset: str) -> float | None:
    """Return the samples a second of a data set's signals; None where none is known, as of ready features.

    Parameters
    ----------
    dataset : str
        As `entry_of` takes it.

    Raises
    ------
    InputError
        As `settings_of`.
    """
    entry = entry_of(dataset)
    if not entry.is_folder:
        return entry.rate
    from emargin.data.readers.npz import read_description, sampling_rate_of  # import numpy, as below

    path = entry.folder / "dataset.json"
    description = read_description(path)
    return None if description.get("sampling_rate") is None else sampling_rate_of(path, description, {})


def series_there() -> list[str]:
    """Return the names of the sets of the UCR archive whose folders are there."""
    return [UCR + path.name for path in sorted((data_root() / "ucr").glob("[!.]*")) if path.is_dir()]


def data_root() -> Path:
    """Return the folder of the real data sets: $EMARGIN_DATA, or `data/` in the checkout, which need not be there.

    Raises InputError where $EMARGIN_DATA names a folder that is not there: simulators would run in place of the data.
    """
    root, named = place_of_data(), os.environ.get("EMARGIN_DATA")
    if named and not root.is_dir():
        raise InputError(
            "the folder that EMARGIN_DATA names is not there",
            found=named if str(root) == named else f"{named}, which is {root}",
            wanted="the folder that holds the real data sets, each in a folder of its name",
            todo="correct it, make that folder, or unset EMARGIN_DATA",
        )
    return root


def place_of_data() -> Path:
    """Return where the folder of the real data sets is, or is to be; `~` is the home folder."""
    return Path(os.path.expanduser(os.environ.get("EMARGIN_DATA") or home() / "data"))


def settings_of(dataset: str) -> Settings:
    """Return the settings of a data set.

    Parameters
    ----------
    dataset : str
        As `entry_of` takes it.

    Raises
    ------
    MissingData
        For a set of the UCR archive that is neither in `UCR_SIZES` nor on this machine.
    InputError
        For a folder that cannot be used, and for an unknown name.
    """
    entry = entry_of(dataset)
    if entry.settings is not None:
        return entry.settings
    return own_settings(entry.folder) if entry.is_folder else series_settings(*_size_of_files(entry))


def window_of(dataset: str) -> int | None:
    """Return the samples of a frame that is a piece of the signal as it is; None where frames are none.

    Sets of the catalogue alone have such frames, so that nothing of a set needs to be there.

    Parameters
    ----------
    dataset : str
        As `entry_of` takes it.
    """
    listed = DATASETS.get(dataset)
    return listed.settings.window if listed and listed.settings else None


def series_settings(n_classes: int, length: int) -> Settings:
    """Return settings for a set of the UCR archive: every series is one sequence, so T follows from its length.

    Frames are 16 samples, an eighth of the shortest series here, at steps of 4: series of 128 to 300 samples make 29 to
    72 frames of D 9. At the usual half overlap the shortest would make 15, too few for the windows of some methods.
    The six sets here have fewer than 160,000 training samples, for which the paper's rule says 200 iterations. The
    archive's own split leaves train_share unused, and no original set is near: the temperature is the middle one of
    the paper's three. Every class of the archive has a nominal draw of 1000 frames.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    length : int
        Samples in a series.
    """
    n_fft, hop = 16, 4
    frames = max((length - n_fft) // hop + 1, 1)
    draw = (1000,) * n_classes
    return Settings(
        n_fft, hop, sequence_length=frames, stride=frames, draw=draw, temperature=0.1, iterations=200, train_share=0.5
    )


def _size_of_files(entry: Entry) -> tuple[int, int]:
    """Return number of classes and samples in a series of a set of the UCR archive. Raises MissingData."""
    from emargin.data.readers.ucr import classes_and_length  # imports numpy, which the catalogue does without

    if not entry.folder.is_dir():
        what = f"the UCR set {entry.title} is not here, and its settings follow from its files"
        wanted = ", ".join(sorted({*series_there(), *(UCR + name for name in UCR_SIZES)}))
        todo = f"{entry.instructions}; another place: set EMARGIN_DATA to the folder that holds ucr/"
        raise MissingData(what, found=f"no folder {entry.folder}", wanted=wanted, todo=todo)
    return classes_and_length(entry.folder)


def own_settings(folder: Path) -> Settings:
    """Return settings for the reader's own recordings: one-second frames, half overlapping, as in HARTH and ECG.

    Frames that are features already are taken as they come. T is 100; all of it can be set in the Experiment.
    Raises InputError if `dataset.json` is missing or cannot be read, or its sampling rate is no positive number.
    """
    from emargin.data.readers.npz import check_files, read_description, sampling_rate_of  # import numpy, as above

    check_files(folder)
    path = folder / "dataset.json"
    description = read_description(path)
    rate = None if description.get("sampling_rate") is None else sampling_rate_of(path, description, {})
    n_fft = None if rate is None else max(2, round(rate))
    hop, draw = None if n_fft is None else n_fft // 2, (1000,) * len(description["classes"])
    return Settings(n_fft, hop, sequence_length=100, stride=100, draw=draw, temperature=0.1, iterations=200)
