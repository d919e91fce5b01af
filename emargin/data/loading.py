"""Load the data set of an experiment: read or simulate recordings, then frame, split and standardise them."""

from dataclasses import replace
from pkgutil import resolve_name

import numpy as np

from emargin.config import Experiment
from emargin.data import cache, protocols
from emargin.data.catalogue import Entry, entry_of, settings_of
from emargin.data.checksums import files_digest
from emargin.data.dataset import Dataset
from emargin.data.framing import frame_labels
from emargin.data.quality import LEAVE_OUT, all_findings, check_findings, check_quality, cleaned
from emargin.data.recordings import Recording, RecordingSet, as_they_are
from emargin.data.surrogates import random_phases
from emargin.errors import InputError, MissingData
from emargin.resolve import resolving

SIMULATOR_SEED = 0  # the simulated recordings are the same for all seeds of an experiment


@resolving
def load(experiment: Experiment) -> Dataset:
    """Load the experiment's data set, framed, split and standardised.

    Parameters
    ----------
    experiment : Experiment
        Of its fields those about the data count: `dataset`, `source`, `quick`, `surrogate`, `quality`, `protocol`,
        `fold`, `split`, `n_fft`, `hop`, `sequence_length`, `stride`.

    Returns
    -------
    Dataset
        Its training and its test side, frames `(F, D)` in sequences of T.

    Raises
    ------
    MissingData
        Where real recordings are asked for and not there; it tells how to get the files.
    InputError
        For recordings that cannot be used, and for a protocol that does not fit them.
    """
    entry = entry_of(experiment.dataset)
    if entry.has_series and experiment.protocol == "released":
        raise InputError(
            "protocol released joins recordings end to end, and the series of a UCR set are no pieces of one recording",
            found=experiment.dataset,
            wanted="protocol original, which keeps the archive's own split",
        )
    _check_split(entry, experiment)
    if experiment.source == "simulated":
        recordings, checksum = load_recordings(experiment)
    else:
        phases = " phase" if experiment.surrogate == "phase" else ""
        gaps = f" {experiment.quality}" if experiment.quality in LEAVE_OUT else ""
        recordings, checksum = cache.framed(
            experiment.dataset + phases + gaps,
            entry.paths,
            lambda: load_recordings(experiment),
            n_fft=experiment.n_fft,
            hop=experiment.hop,
            joined=(True if settings_of(experiment.dataset).joined == "all" else "person")
            if experiment.protocol == "released"
            else False,
        )
    if experiment.surrogate:
        checksum += f", surrogate {experiment.surrogate}"
    if experiment.quality in LEAVE_OUT:
        checksum += f", quality {experiment.quality}"
    dataset = protocols.build(recordings, settings_of(experiment.dataset), experiment, checksum)
    return protocols.hold_out(dataset) if experiment.split == "validation" else dataset


def _check_split(entry: Entry, experiment: Experiment) -> None:
    """Raise InputError where the split "everyone" has no people to deal out."""
    if experiment.split == "everyone" and (entry.has_series or experiment.protocol != "original"):
        what, todo = 'split "everyone" deals people out to folds, and none are told apart here', "leave split out"
        found = f"{experiment.dataset}, protocol {experiment.protocol}"
        raise InputError(what, found=found, wanted="recordings of people, protocol original", todo=todo)


@resolving
def checksum_of(experiment: Experiment) -> str | None:
    """Return the checksum that `load` would give the data set, without loading it.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    str or None
        None where the files are not there.

    Raises
    ------
    OSError
        For a file that cannot be read.
    """
    entry = entry_of(experiment.dataset)
    if experiment.source == "simulated":
        checksum = _simulation(entry, experiment)
    elif paths := entry.paths:
        checksum = files_digest(paths)
    else:
        return None
    checksum += f", surrogate {experiment.surrogate}" if experiment.surrogate else ""
    checksum += f", quality {experiment.quality}" if experiment.quality in LEAVE_OUT else ""
    return checksum + (", validation" if experiment.split == "validation" else "")


@resolving
def load_recordings(experiment: Experiment) -> tuple[RecordingSet, str]:
    """Return the recordings as they come from the source, and a checksum of their files.

    In a geometry of raw windows they come as frames already. Phases are at random where the experiment wants the
    surrogate "phase"; the order of frames is, with the surrogate "frames", where recordings are framed.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    recordings : RecordingSet
        Values `(samples, channels)` or frames `(frames, D)`, in the unit of the source.
    checksum : str
        Of the files; for a simulation its name, seed and profile.

    Raises
    ------
    MissingData
        Where real recordings are asked for and not there.
    InputError
        For recordings that cannot be used.
    """
    if experiment.quality is not None:
        return _of_quality(experiment)
    entry, window = entry_of(experiment.dataset), settings_of(experiment.dataset).window
    if experiment.source == "simulated":
        simulate = resolve_name(entry.reader_for("simulated"))
        recordings = simulate(entry.simulator, seed=SIMULATOR_SEED, quick=experiment.quick)
        checksum = _simulation(entry, experiment)
    else:
        recordings = _read(entry, window or experiment.n_fft, window or experiment.hop)
        checksum = files_digest(entry.paths)
    check_quality(recordings)
    if experiment.surrogate == "phase":
        recordings = random_phases(recordings)
    return (recordings if window is None else raw_windows(recordings, window)), checksum


def _of_quality(experiment: Experiment) -> tuple[RecordingSet, str]:
    """Return what `load_recordings` does, with its bad samples refused or left out; of raw windows, whole windows."""
    with as_they_are() as notes:
        recordings, checksum = load_recordings(replace(experiment, quality=None, surrogate=None))
    if experiment.quality == "refuse":
        check_findings(recordings, all_findings(recordings, notes))
    else:
        recordings = cleaned(recordings, notes, experiment)
    return (random_phases(recordings) if experiment.surrogate == "phase" else recordings), checksum


def raw_windows(recordings: RecordingSet, window: int) -> RecordingSet:
    """Return pieces of `window` samples as frames `(frames, channels window)`, not transformed.

    Channel-major, as `stft_frames` has it. Pieces follow each other without overlap; samples that do not fill the last
    piece are left out, and so are recordings shorter than a piece. A frame has the most frequent label of its samples.
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


def _simulation(entry: Entry, experiment: Experiment) -> str:
    """Return what stands for the simulated recordings in place of a checksum."""
    return f"{entry.simulator} seed {SIMULATOR_SEED} {'quick' if experiment.quick else 'full'}"


def _read(entry: Entry, n_fft: int | None, hop: int | None) -> RecordingSet:
    """Return the real recordings. n_fft, hop: window and step of their frames, in samples."""
    if not entry.folder.is_dir():
        simulator = "; or take source simulated" if entry.simulator else ""
        raise MissingData(
            f"the real recordings of {entry.name} are not here",
            found=f"no folder {entry.folder}",
            wanted="its files in their public format",
            todo=f"{entry.instructions}; another place: set EMARGIN_DATA to the folder that holds {entry.subfolder}/"
            f"{simulator}",
        )
    read = resolve_name(entry.reader_for("real"))
    recordings = read(entry.folder, n_fft=n_fft, hop=hop) if entry.reads_windows else read(entry.folder)
    if entry.size:
        size = len(recordings.classes), len(recordings.recordings[0].values)
        if size != entry.size:
            raise InputError(
                f"{entry.folder}: not the set of the archive that the catalogue knows",
                found="{} classes, {} samples a series".format(*size),
                wanted="{} classes, {} samples a series".format(*entry.size),
                todo=f"get the archive's files again, or give the folder and its files another name than {entry.title}",
            )
    return recordings
