"""A trained encoder in the reader's hands: other recordings, framed and standardised as those that it was trained on.

    encoder = load_encoder("runs/ecg-sim-emargin-released-seed1-46001e92")
    embedded = encoder.embed("path/to/folder")  # embedded.embedding (n, C), embedded.time (n,)

Recordings that an encoder was not trained for are refused before it sees them: other than ready-made frames where it
was trained on such, and the reverse; a sampling rate more than 1 % from the training's; another number of channels; and
a unit far from the training's. The last is read from the level of each channel, the root mean square of its features
over all frames: it may be `FAR` times that of the training's frames, or a `FAR`th of it, at most. In ready-made frames
features have no unit in common, and the median of them counts. Channels of single people of the four sets of signals
here lie between 0.2 and 2.2 times the level of their training side; from g to m/s^2 it is 9.8 times.
"""

import io
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emargin.config import Experiment
from emargin.data.catalogue import entry_of
from emargin.data.dataset import Sequences
from emargin.data.framing import check_frames, frame_labels, stft_frames
from emargin.data.loading import load_recordings, raw_windows
from emargin.data.recordings import UNLABELLED, RecordingSet
from emargin.encoder_files import INPUT_FORMAT, bins_of, level_of
from emargin.errors import InputError
from emargin.evaluation.features import encode
from emargin.files import write_bytes
from emargin.fingerprint import fingerprint
from emargin.methods import Method
from emargin.resolve import Resolved, resolve
from emargin.stages import train_stage
from emargin.state import read_state
from emargin.training import build

FAR = 6.0  # times the level of the training's frames, or a sixth of it
RATE_TOLERANCE = 0.01
AGAIN = "delete encoder.pt, and give the same `emargin run` again: it gives the same weights"


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings of the frames of recordings, one recording after the other.

    Attributes
    ----------
    embedding : ndarray
        Float32 `(n, C)`.
    time : ndarray
        Float64 `(n,)`: where a frame starts, from the start of its recording.
    unit : {"s", "samples", "frames"}
        Of the times: seconds, unless no sampling rate is known, or no duration of ready-made frames.
    duration : float
        Of a frame, in that unit.
    recording : ndarray
        Int64 `(n,)`: which of `recordings` a frame is of.
    labels : ndarray
        Int64 `(n,)`: an index into `classes`, or -1 for unlabelled.
    recordings, subjects : tuple of str
        Name and person of each recording.
    classes : tuple of str
        Of the recordings.
    source : {"real", "simulated"}
        Where the recordings are from.
    """

    embedding: np.ndarray
    time: np.ndarray
    unit: str
    duration: float
    recording: np.ndarray
    labels: np.ndarray
    recordings: tuple[str, ...]
    subjects: tuple[str, ...]
    classes: tuple[str, ...]
    source: str

    def pooled(self) -> np.ndarray:
        """Return the mean embedding of each recording, float32 `(recordings, C)`; NaN for one without frames."""
        sums = np.zeros((len(self.recordings), self.embedding.shape[1]))
        np.add.at(sums, self.recording, self.embedding)
        counts = np.bincount(self.recording, minlength=len(sums))[:, None]
        return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0).astype(np.float32)

    def save(self, file: Path | str) -> None:
        """Write all of it as an npz file, an array for each attribute; without labels where no frame has one.

        Raises
        ------
        Unwritable
            Where the disk is full, or nothing may be written there.
        """
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        if (self.labels == UNLABELLED).all():
            del arrays["labels"], arrays["classes"]
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        write_bytes(Path(file), stream.getbuffer())


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder with all that frames of recordings need before it.

    Attributes
    ----------
    experiment : Experiment
        That it was trained in.
    method : Method
        In evaluation mode: a `torch.nn.Module`, whose `encode` maps standardised frames `(B, T, D)` to `(B, T, C)`.
    classes : tuple of str
        Of the recordings that it was trained on.
    n_features : int
        D, of a frame.
    standardisation : tuple of Tensor or None
        Mean and standard deviation of each feature, `(D,)`; None where it was trained on frames as they are.
    rate : float or None
        Samples a second; None of ready-made frames, and where it is not known.
    level : tuple of float
        Root mean square of each channel's features in the training, in the unit of its recordings.
    framed : bool
        It takes ready-made frames.
    frame_seconds : float or None
        What a ready-made frame stands for, where that is known.
    window : int or None
        Samples of a frame that is a piece of the signal as it is.
    """

    experiment: Experiment
    method: Method
    classes: tuple[str, ...]
    n_features: int
    standardisation: tuple[Tensor, Tensor] | None
    rate: float | None
    level: tuple[float, ...]
    framed: bool = False
    frame_seconds: float | None = None
    window: int | None = None

    @cached_property
    def framing(self) -> tuple[int, int]:
        """Return window and step of frames, in samples, or in ready-made frames."""
        if self.framed:
            return 1, 1
        if self.window:
            return self.window, self.window
        assert self.experiment.n_fft and self.experiment.hop, "signals have both"
        return self.experiment.n_fft, self.experiment.hop

    def recordings(self, name: Path | str) -> RecordingSet:
        """Return the recordings of a set of the catalogue, or of a folder, before they are framed.

        Parameters
        ----------
        name : Path or str
            As `Experiment.dataset` has it. Of a geometry, the recordings that it frames.

        Raises
        ------
        MissingData
            For a set whose files are not there.
        InputError
            For an unknown set, and for recordings that cannot be used.
        """
        entry = entry_of(entry_of(str(name)).recordings)
        asked = resolve(Experiment(dataset=entry.name, quick=self.experiment.quick))
        if entry.reads_windows and not self.framed or entry.frame_seconds and asked.n_fft:
            size, step = (self.experiment.n_fft, self.experiment.hop) if self.framed else self.framing
            asked = replace(asked, n_fft=size, hop=step)
        return load_recordings(asked)[0]

    def embed(self, data: RecordingSet | Path | str, *, any_level: bool = False) -> Embedded:
        """Embed every frame of recordings once, without gradients.

        Each recording is cut into sequences as for the training, from its start on, and a frame takes its embedding
        from the first sequence that holds it. The frames behind the last one are embedded in a sequence that ends with
        the recording, and a recording shorter than a sequence is one by itself. So recordings of one side of an
        experiment under protocol `original` have the embeddings that its scores were computed from.

        Parameters
        ----------
        data : RecordingSet, Path or str
            Recordings, or the name of a set: see `recordings`. In the unit of the training.
        any_level : bool
            Take recordings in any unit.

        Returns
        -------
        Embedded

        Raises
        ------
        InputError
            For recordings that the encoder was not trained for, or that are all shorter than a frame.
        """
        data = data if isinstance(data, RecordingSet) else self.recordings(data)
        self.check_kind(data)
        frames, labels = self.frames_of(data)
        if not any_level:
            self.check_level(data.name, torch.cat(frames))
        embedding = self.embed_frames(frames)
        size, step = self.framing
        unit = "frames" if self.framed else "samples"
        seconds = self.frame_seconds if self.framed else data.sampling_rate and 1 / data.sampling_rate
        counts = [len(each) for each in frames]
        starts = np.concatenate([np.arange(count) for count in counts]) * float(step)
        return Embedded(
            embedding.numpy(),
            starts if seconds is None else starts * seconds,
            unit if seconds is None else "s",
            float(size if seconds is None else size * seconds),
            np.repeat(np.arange(len(counts)), counts),
            np.concatenate(labels),
            tuple(recording.name for recording in data.recordings),
            tuple(recording.subject for recording in data.recordings),
            data.classes,
            data.source,
        )

    def frames_of(self, data: RecordingSet) -> tuple[list[Tensor], list[np.ndarray]]:
        """Frame recordings as for the training; a warning names those that are shorter than a frame.

        Returns
        -------
        frames : list of Tensor
            Of each recording, float32 `(frames, D)`, not standardised.
        labels : list of ndarray
            Int64 `(frames,)`.

        Raises
        ------
        InputError
            Where all are shorter than a frame, and for frames that are not finite.
        """
        (size, step), frames, labels, short = self.framing, [], [], []
        for recording in data.recordings:
            if data.framed:
                framed, labelled = torch.from_numpy(recording.values.copy()), recording.labels
            elif len(recording.values) < size:
                short.append(recording.name)
                framed, labelled = torch.empty(0, self.n_features), recording.labels[:0]
            elif self.window:
                (piece,) = raw_windows(replace(data, recordings=(recording,)), self.window).recordings
                framed, labelled = torch.from_numpy(piece.values), piece.labels
            else:
                framed = stft_frames(recording.values, size, step)
                labelled = frame_labels(recording.labels, size, step, len(data.classes))
            check_frames(recording.name, framed)
            frames.append(framed)
            labels.append(labelled)
        if short:
            what = f"data set {data.name}: recordings shorter than a frame of {size} samples: {', '.join(short[:8])}"
            if len(short) == len(frames):
                raise InputError(what, wanted=f"a recording of {size} samples or more")
            warnings.warn(f"{what}; they have no embedding", stacklevel=3)
        return frames, labels

    def embed_frames(self, frames: list[Tensor]) -> Tensor:
        """Standardise frames as for the training, and embed them.

        Parameters
        ----------
        frames : list of Tensor
            Of each recording, float32 `(frames, D)`, not standardised.

        Returns
        -------
        Tensor
            Float32 `(n, C)` on the CPU, of all frames, one recording after the other.
        """
        table, length = torch.cat(frames), self.experiment.sequence_length
        if self.standardisation is not None:
            mean, std = self.standardisation
            table.sub_(mean).div_(std)
        sequences: dict[int, list[int]] = {}  # starts, by length
        further: list[int] = []
        offset = 0
        for count in map(len, frames):
            if count >= length:
                regular, last = _starts(count, length, self.experiment.stride)
                sequences.setdefault(length, []).extend(offset + start for start in regular)
                further.extend(offset + start for start in last)
            elif count:
                sequences.setdefault(count, []).append(offset)
            offset += count
        device = next(self.method.parameters()).device
        embedding, there = None, torch.zeros(len(table), dtype=torch.bool)
        for size, starts in [*sequences.items(), (length, further)]:
            if not starts:
                continue
            picked = Sequences(table, torch.full((len(table),), UNLABELLED), torch.tensor(starts), size)
            features = encode(self.method, picked, device)
            numbers, first = map(torch.from_numpy, np.unique(features.frame.flatten().numpy(), return_index=True))
            new = ~there[numbers]
            if embedding is None:
                embedding = torch.empty(len(table), features.embedding.shape[-1])
            embedding[numbers[new]] = features.embedding.flatten(0, 1)[first[new]]
            there[numbers] = True
        assert embedding is not None and there.all(), "every frame is in a sequence"
        return embedding

    def check_kind(self, data: RecordingSet) -> None:
        """Raise InputError for recordings of another kind, rate or width than those of the training."""
        what = f"data set {data.name} does not fit the encoder"
        kinds = {True: "ready-made frames", False: "signals"}
        if data.framed != self.framed:
            raise InputError(f"{what}: another kind", found=kinds[data.framed], wanted=kinds[self.framed])
        if self.rate is not None and not np.isclose(data.sampling_rate or 0, self.rate, rtol=RATE_TOLERANCE, atol=0):
            found = "no rate that is known" if data.sampling_rate is None else f"{data.sampling_rate:g} Hz"
            todo = "resample the recordings, or train an encoder on them"
            raise InputError(f"{what}: another sampling rate", found=found, wanted=f"{self.rate:g} Hz", todo=todo)
        columns = data.recordings[0].values.shape[1]
        if columns != len(self.level):
            part = "features a frame" if self.framed else "channels"
            todo = f"give it the {part} that it was trained on, in their order"
            raise InputError(f"{what}: another number of {part}", found=columns, wanted=len(self.level), todo=todo)

    def check_level(self, name: str, frames: Tensor) -> None:
        """Raise InputError for frames `(F, D)`, not standardised, in a unit far from that of the training."""
        there = level_of(frames, self.n_features // len(self.level))
        ratios = np.array([ours / max(theirs, 1e-30) for ours, theirs in zip(there, self.level, strict=True)])
        ratios = np.array([np.median(ratios)]) if self.framed else ratios
        far = np.maximum(ratios, 1 / np.maximum(ratios, 1e-30))
        if far.max() > FAR:
            place = "the median feature" if self.framed else f"channel {far.argmax()}"
            raise InputError(
                f"data set {name} does not fit the encoder: its values are far from those of the training",
                found=f"{ratios[far.argmax()]:.3g} times the root mean square of the training in {place}",
                wanted=f"{1 / FAR:.2g} to {FAR:g} times, all frames together",
                todo="give the recordings in the unit and the order of channels of the training; or, if they are, take "
                "any level (any_level=True, --any-level)",
            )


def load_encoder(folder: Path | str, device: torch.device | str = "cpu") -> Encoder:
    """Load the encoder that a run left in its folder, to embed recordings with.

    The data that it was trained on need not be there. Nothing is unpickled. A warning says where other code than the
    present trained it.

    Parameters
    ----------
    folder : Path or str
        Holds `encoder.pt`.
    device : torch.device or str

    Returns
    -------
    Encoder

    Raises
    ------
    InputError
        For a folder without an encoder, and for a file that is damaged, or of another version of this program.
    """
    file = Path(folder) / "encoder.pt"
    if not file.is_file():
        todo = "name the folder of a run; unpack an archive first, with emargin encoders unpack"
        raise InputError(f"no encoder in {folder}", wanted="a folder with encoder.pt", todo=todo)
    state = read_state("encoder", file, device)
    trained_on = _input_of(state, f"encoder {file}")
    experiment = Resolved.settled(state["experiment"])
    if fingerprint(train_stage(experiment)) != state["origin"]["code"][1]:
        warnings.warn(f"encoder {file} was trained by other code than the present", stacklevel=2)
    method = build(experiment, state["n_features"], device)
    try:
        method.load_state_dict(state["method"])
    except RuntimeError as error:
        what, wanted = f"encoder {file}: not the weights of {experiment.method}", "those that its method has"
        raise InputError(what, found=str(error).split("\n")[0], wanted=wanted, todo=AGAIN) from error
    both = state["standardisation"]
    return Encoder(
        experiment,
        method.eval(),
        tuple(state["classes"]),
        state["n_features"],
        None if both is None else (both[0].cpu(), both[1].cpu()),
        trained_on["rate"],
        tuple(trained_on["level"]),
        trained_on["framed"],
        trained_on["frame_seconds"],
        trained_on["window"],
    )


def _input_of(state: dict, what: str) -> dict:
    """Return what a state says of the recordings that its encoder was trained on."""
    trained_on = state.get("input") or {}
    version = trained_on.get("format")
    if version != INPUT_FORMAT:
        newer = isinstance(version, int) and version > INPUT_FORMAT
        raise InputError(
            f"{what} does not say what recordings it takes: {'a newer' if newer else 'an older'} version wrote it",
            found="nothing of them" if version is None else f"format {version}",
            wanted=f"format {INPUT_FORMAT}",
            todo="use that version" if newer else AGAIN,
        )
    if trained_on["level"] is None:
        wanted = "frames as load makes them of recordings"
        raise InputError(f"{what} was trained on frames that its experiment does not make", wanted=wanted)
    experiment = Resolved.settled(state["experiment"])
    bins = bins_of(experiment, trained_on["framed"], trained_on["window"])
    if len(trained_on["level"]) * bins != state["n_features"]:
        found, wanted = f"{len(trained_on['level'])} channels of {bins} features", f"{state['n_features']} features"
        raise InputError(f"{what} contradicts itself", found=found, wanted=wanted, todo=AGAIN)
    return trained_on


def _starts(count: int, length: int, stride: int) -> tuple[list[int], list[int]]:
    """Return the starts of sequences in a recording as for the training, and of those that hold the other frames."""
    regular, further = list(range(0, count - length + 1, stride)), []
    held = np.zeros(count, dtype=bool)
    for start in regular:
        held[start : start + length] = True
    while not held.all():
        start = min(int(held.argmin()), count - length)
        further.append(start)
        held[start : start + length] = True
    return regular, further
