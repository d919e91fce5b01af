"""Load the data set of an experiment: read or simulate recordings, then frame, split and standardise them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from emargin.config import Experiment
from emargin.data import cache, protocols
from emargin.data.catalogue import DATASETS, UCR, real_folder, recordings_of, settings_of
from emargin.data.checksums import files_digest
from emargin.data.dataset import Dataset
from emargin.data.framing import frame_labels
from emargin.data.readers import npz, rhythms, ucr
from emargin.data.recordings import Recording, RecordingSet
from emargin.data.surrogates import random_phases
from emargin.errors import InputError, MissingData

SIMULATOR_SEED = 0  # the simulated recordings are the same for all seeds of an experiment


def load(experiment: Experiment) -> Dataset:
    """The experiment's data set, framed, split and standardised.

    Raises MissingData, which tells how to get the files, where real recordings are asked for and not there; InputError
    for recordings that cannot be used.
    """
    if experiment.dataset.startswith(UCR) and experiment.protocol == "released":
        raise InputError(
            "protocol released joins recordings end to end, and the series of a UCR set are no pieces of one recording",
            found=experiment.dataset,
            wanted="protocol original, which keeps the archive's own split",
        )
    if experiment.source == "simulated":
        recordings, checksum = load_recordings(experiment)
    else:
        phases = " phase" if experiment.surrogate == "phase" else ""
        recordings, checksum = cache.framed(
            experiment.dataset + phases,
            _real_files(experiment.dataset),
            lambda: load_recordings(experiment),
            n_fft=experiment.n_fft,
            hop=experiment.hop,
            joined=experiment.protocol == "released",
        )
    if experiment.surrogate:
        checksum += f", surrogate {experiment.surrogate}"
    return protocols.build(recordings, settings_of(experiment.dataset), experiment, checksum)


def checksum_of(experiment: Experiment) -> str | None:
    """The checksum that `load` would give the data set, without loading it; None where its files are not there."""
    if experiment.source == "simulated":
        checksum = _simulator(experiment)[1]
    else:
        files = _real_files(experiment.dataset)
        if not files:
            return None
        checksum = files_digest(files)
    return checksum + (f", surrogate {experiment.surrogate}" if experiment.surrogate else "")


def load_recordings(experiment: Experiment) -> tuple[RecordingSet, str]:
    """The recordings as they come from the source, and a checksum of their files (or the simulator's seed).

    In a geometry of raw windows they come as frames already. Phases are at random where the experiment wants the
    surrogate "phase"; the order of frames is, with the surrogate "frames", where recordings are framed.
    """
    recordings, checksum = _simulated(experiment) if experiment.source == "simulated" else _real(experiment)
    if experiment.surrogate == "phase":
        recordings = random_phases(recordings)
    window = settings_of(experiment.dataset).window
    return (recordings if window is None else raw_windows(recordings, window)), checksum


def raw_windows(recordings: RecordingSet, window: int) -> RecordingSet:
    """Pieces of `window` samples as frames, not transformed: `(samples, channels)` -> `(frames, channels window)`.

    Channel-major, as `stft_frames` has it. Pieces follow each other without overlap; samples that do not fill the last
    one are left out, and so are recordings shorter than one. A frame has the most frequent label of its samples.
    """
    framed = []
    for recording in recordings.recordings:
        frames = len(recording.values) // window
        if frames:
            values = recording.values[: frames * window].reshape(frames, window, -1).transpose(0, 2, 1)
            labels = frame_labels(recording.labels, window, window, len(recordings.classes))
            framed.append(
                Recording(recording.name, recording.subject, np.ascontiguousarray(values.reshape(frames, -1)), labels)
            )
    return replace(recordings, recordings=tuple(framed), sampling_rate=None, framed=True)


def _simulated(experiment: Experiment) -> tuple[RecordingSet, str]:
    from emargin.data.simulated import simulate  # imports much of scipy, which readings of real data do without

    simulator, checksum = _simulator(experiment)
    return simulate(simulator, seed=SIMULATOR_SEED, quick=experiment.quick), checksum


def _simulator(experiment: Experiment) -> tuple[str, str]:
    """The simulator's name, and what stands for its recordings."""
    name = recordings_of(experiment.dataset)
    simulator = name if name.endswith(("-sim", "-noise")) else f"{name}-sim"
    return simulator, f"{simulator} seed {SIMULATOR_SEED} {'quick' if experiment.quick else 'full'}"


def _real(experiment: Experiment) -> tuple[RecordingSet, str]:
    name = experiment.dataset
    if name not in DATASETS and not name.startswith(UCR):
        return npz.load_folder(Path(name)), files_digest(_real_files(name))
    folder = real_folder(name)
    if name.startswith(UCR):
        read, how = ucr.load_ucr, ""  # a set that is not there has no settings, so no Experiment
    else:
        read, how = READERS[recordings_of(name)], HOW_TO_GET[recordings_of(name)]
    if not folder.is_dir():
        simulator = "; or take source simulated" if f"{name}-sim" in DATASETS else ""
        raise MissingData(
            f"the real recordings of {name} are not here",
            found=f"no folder {folder}",
            wanted="its files in their public format",
            todo=f"{how.format(folder=folder)}; another place: set EMARGIN_DATA to the folder that "
            f"holds {folder.name}/{simulator}",
        )
    recordings = read(folder, experiment) if read is _sleepeeg else read(folder)
    return recordings, files_digest(_real_files(name))


def _real_files(name: str) -> list[Path]:
    """The files that a real set is read from: none where it is not there."""
    if name not in DATASETS and not name.startswith(UCR):
        paths = [*Path(name).glob("*.npz"), Path(name) / "dataset.json"]
    else:
        paths = real_folder(name).glob("[!.]*")
    return [path for path in paths if path.is_file()]


def _harth(folder: Path) -> RecordingSet:
    from emargin.data.readers.harth import load_harth  # these three wait, like simulate: no run needs them all

    return load_harth(folder)


def _sleepeeg(folder: Path, experiment: Experiment) -> RecordingSet:
    """SleepEEG from what the folder holds: TF-C's .pt files, whose windows must be the frames, or Sleep-EDF's .edf."""
    prepared, nights = any(folder.glob("[!.]*.pt")), any(folder.glob("[!.]*.edf"))
    if prepared and nights:
        raise InputError(
            f"{folder}: two sources of SleepEEG",
            found="*.pt and *.edf",
            wanted="the .pt files that TF-C prepared, or the .edf files of Sleep-EDF",
            todo="move one kind to another folder",
        )
    if prepared:
        from emargin.data.readers.sleepeeg import load_sleepeeg

        window = settings_of(experiment.dataset).window
        return load_sleepeeg(folder, n_fft=window or experiment.n_fft, hop=window or experiment.hop)
    if nights:
        from emargin.data.readers.sleepedf import load_sleepedf

        return load_sleepedf(folder)
    raise MissingData(
        f"{folder}: neither .pt nor .edf files", wanted="the files of TF-C or of Sleep-EDF", todo=HOW_TO_GET["sleepeeg"]
    )


def _sleepedf_features(folder: Path) -> RecordingSet:
    """Nights of Sleep-EDF as features, in npz files called SC4ssNE0; subject ss has up to two nights N."""
    recordings = npz.load_folder(folder)
    return replace(
        recordings,
        recordings=tuple(
            Recording(night.name, night.name[:5], night.values, night.labels) for night in recordings.recordings
        ),
    )


READERS = {
    "harth": _harth,
    "sleepeeg": _sleepeeg,
    "ecg": rhythms.load_afdb,
    "mitbih": rhythms.load_mitbih,
    "dsads": npz.load_folder,
    "spsw-har": npz.load_folder,
    "sleepedf-features": _sleepedf_features,
}
HOW_TO_GET = {name: f"emargin data fetch {name}, which says how to do it by hand, too" for name in READERS} | {
    "sleepeeg": "emargin data fetch sleepeeg gets the windows that TF-C prepared, emargin data fetch sleepedf the "
    "nights they were cut from",
    "sleepedf-features": "compute spectral features of Sleep-EDF's epochs, and write them as npz recordings, one a "
    "night, with dataset.json, into {folder}; names as in Sleep-EDF, SC4ssNE0",
}
