"""A card a data set: what is in it, how its frames follow each other, and what the pseudo-label makes of them.

    python -m companion.data_cards --out results/data/cards.json

computes the cards of all sets that are there and leaves those of the others in the file as they are; names of sets
after the command limit it to these.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from companion.committed import results
from companion.detection import detection
from companion.quality import summary
from emargin.config import Experiment
from emargin.data.catalogue import SETS, Entry, entry_of, series_there, settings_of
from emargin.data.dataset import Sequences
from emargin.data.loading import load_recordings
from emargin.data.protocols import statistics_of, test_subjects_of, within_recordings
from emargin.data.recordings import UNLABELLED, RecordingSet
from emargin.errors import InputError
from emargin.losses.cosines import adjacent_cosines
from emargin.resolve import Resolved, resolve
from emargin.rows import writable_folder, write_text

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
TOLERANCES = (0, 1)  # pairs
SCALINGS = ("raw", "standardised")


@dataclass(frozen=True, eq=False)
class Framed:
    """Frames of every recording of a set, and whether the recording is on the test side (protocol `original`, fold 1).

    checksum : of the recordings.
    """

    experiment: Resolved
    recordings: RecordingSet
    checksum: str
    sequences: list[Sequences]
    on_test: list[bool]

    def cosines(self) -> dict[str, list[Tensor]]:
        """Return cosines of adjacent frames, `(F - 1,)` for each recording that has frames, by scaling."""
        parts = [part.frames for part in self.sequences if len(part.frames)]
        training = [
            part.frames
            for part, test in zip(self.sequences, self.on_test, strict=True)
            if not test and len(part.frames)
        ]
        mean, std = statistics_of(torch.cat(training))
        scaled = (parts, [(frames - mean) / std for frames in parts])
        return {name: [*map(adjacent_cosines, there)] for name, there in zip(SCALINGS, scaled, strict=True)}


def frames_of(name: str) -> Framed:
    """Load a data set, and frame its recordings."""
    experiment = resolve(Experiment(dataset=name))
    recordings, checksum = load_recordings(experiment)
    tested = test_subjects_of(recordings, settings_of(name), experiment.fold)
    sequences = [within_recordings([recording], recordings, experiment) for recording in recordings.recordings]
    on_test = [recording.subject in tested for recording in recordings.recordings]
    return Framed(experiment, recordings, checksum, sequences, on_test)


def card(name: str) -> dict:
    """Return the facts of one data set, from its recordings and its frames under protocol `original`, fold 1.

    Parameters
    ----------
    name : str
        Of the catalogue, `ucr-NAME`, or a folder of the reader's own; the real recordings where they are there,
        otherwise the simulator, full size.

    Returns
    -------
    dict
        Plain numbers and strings. `hours`, `people`, `sampling_rate` (Hz) and seconds are None where the set has none:
        series of the UCR archive carry neither a person nor a rate. `classes`: per class `frames`, `share` of the
        labelled frames, and `mean_run`, the mean length in frames of a run of this class, which ends where the class
        changes, labels are missing, or the recording ends. `zero_frames`: frames of nothing but zeros, whose cosines
        count as 0. `quality`: by kind of bad samples, `recordings` and `values`. `transitions`: `pairs` of adjacent
        labelled frames, `changes` of class among them and their `share`; None where no class ever changes.
        `cosines`: quantiles over all adjacent pairs of frames of one recording.
        `pseudo_label`: at the paper's theta 0.4, what `detection` returns with tolerance 0 and 1 pairs; None for what
        is a share of nothing. The last two come for "raw" frames (STFT magnitudes, or features as they are) and for
        "standardised" ones (less the mean of the training side's frames, divided by their standard deviation).

    Raises
    ------
    MissingData, InputError
        Where `load` does.
    """
    entry, framed = entry_of(name), frames_of(name)
    experiment, recordings, sequences, on_test = framed.experiment, framed.recordings, framed.sequences, framed.on_test
    labels = [framed.labels for framed in sequences]
    transitions = _transitions(labels)
    people = not entry.has_series  # the subjects of a set of the UCR archive are its files TRAIN and TEST
    seconds = _seconds_a_value(entry, recordings)
    values = sum(len(recording.values) for recording in recordings.recordings)
    facts = _origin(entry, recordings.source) | {
        "source": recordings.source,
        "checksum": framed.checksum,
        "people": len({recording.subject for recording in recordings.recordings}) if people else None,
        "recordings": len(recordings.recordings),
        "hours": values * seconds / 3600 if seconds else None,
        "channels": None if recordings.framed else recordings.recordings[0].values.shape[1],
        "sampling_rate": recordings.sampling_rate if seconds else None,
        "geometry": _geometry(entry, experiment, recordings, sequences, seconds),
        "split": {"folds": max(1, len(recordings.test_subjects))}
        | {
            side: _side(recordings, sequences, [test == (side == "test") for test in on_test], people)
            for side in ("train", "test")
        },
        "frames": sum(map(len, labels)),
        "unlabelled": (torch.cat(labels) == UNLABELLED).double().mean().item(),
        "zero_frames": int(sum((framed.frames == 0).all(1).sum() for framed in sequences if len(framed.frames))),
        "quality": summary(name),
        "classes": _classes(labels, recordings.classes),
        "transitions": transitions,
    }
    facts |= {"cosines": {}, "pseudo_label": {}}
    for scaling, cosines in framed.cosines().items():
        quantiles = np.quantile(torch.cat(cosines).double().numpy(), QUANTILES)
        facts["cosines"][scaling] = {f"{q:g}": value for q, value in zip(QUANTILES, quantiles, strict=True)}
        facts["pseudo_label"][scaling] = _detection(cosines, labels, experiment.threshold, changes=bool(transitions))
    return _rounded(facts)


def _origin(entry: Entry, source: str) -> dict:
    if source == "simulated":
        return {"title": "simulated by this module", "licence": "MIT", "citation": None}
    return {"title": entry.origin, "licence": entry.licence, "citation": entry.citation}


def _seconds_a_value(entry: Entry, recordings: RecordingSet) -> float | None:
    """Return seconds from one row of the recordings' values to the next, where they are known."""
    if entry.has_series:
        return None
    return entry.frame_seconds if recordings.framed else 1 / recordings.sampling_rate


def _geometry(
    entry: Entry, experiment: Experiment, recordings: RecordingSet, sequences: list[Sequences], seconds: float | None
) -> dict:
    window, step = (1, 1) if recordings.framed else (experiment.n_fft, experiment.hop)
    if recordings.framed and entry.reads_windows:  # its reader cuts the frames, which overlap
        window = experiment.n_fft / experiment.hop
    return {
        "n_fft": experiment.n_fft,
        "hop": experiment.hop,
        "sequence_length": experiment.sequence_length,
        "stride": experiment.stride,
        "n_features": max(framed.frames.shape[1] for framed in sequences),
        "frame_seconds": window * seconds if seconds else None,
        "step_seconds": step * seconds if seconds else None,
    }


def _side(recordings: RecordingSet, sequences: list[Sequences], chosen: list[bool], people: bool) -> dict:
    subjects = {recording.subject for recording, kept in zip(recordings.recordings, chosen, strict=True) if kept}
    return {
        "people": len(subjects) if people else None,
        "recordings": sum(chosen),
        "sequences": sum(len(framed) for framed, kept in zip(sequences, chosen, strict=True) if kept),
    }


def _classes(labels: list[Tensor], names: tuple[str, ...]) -> dict:
    """Return frames, share and mean run of each class; labels: `(F,)` a recording."""
    frames, runs = np.zeros(len(names), dtype=int), np.zeros(len(names), dtype=int)
    for sequence in labels:
        kinds = torch.unique_consecutive(sequence)
        frames += np.bincount(sequence[sequence >= 0], minlength=len(names))
        runs += np.bincount(kinds[kinds >= 0], minlength=len(names))
    return {
        name: {
            "frames": int(frames[label]),
            "share": frames[label] / max(1, frames.sum()),
            "mean_run": frames[label] / runs[label] if runs[label] else None,
        }
        for label, name in enumerate(names)
    }


def _transitions(labels: list[Tensor]) -> dict | None:
    pairs = changes = 0
    for sequence in labels:
        counted = (sequence[1:] >= 0) & (sequence[:-1] >= 0)
        pairs += int(counted.sum())
        changes += int(((sequence[1:] != sequence[:-1]) & counted).sum())
    return {"pairs": pairs, "changes": changes, "share": changes / pairs} if changes else None


def _detection(cosines: list[Tensor], labels: list[Tensor], threshold: float, changes: bool) -> dict:
    """Return scores of label 1 by tolerance, over all recordings; without changes of class its share alone."""
    # An unlabelled frame after each recording: no pair across two recordings counts, and with up to two pairs of
    # tolerance none is near the next recording's changes.
    marks = torch.cat([pad(values <= threshold, (0, 2)) for values in cosines])[None, :-1]
    classes = torch.cat([pad(sequence, (0, 1), value=UNLABELLED) for sequence in labels if len(sequence)])[None]
    scores = {tolerance: detection(marks, classes, tolerance=tolerance) for tolerance in TOLERANCES}
    facts = {"share": scores[0]["share"]}
    if changes:
        facts |= {
            f"tolerance {tolerance}": {key: score[key] for key in ("precision", "recall", "base")}
            for tolerance, score in scores.items()
        }
    return facts


def _rounded(value):
    """Round to six significant digits; JSON has no NaN, so what is a share of nothing is None."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def names_there() -> list[str]:
    """Return sets whose cards can be computed now: the real ones that are there, then the three simulators."""
    real = [entry.name for entry in SETS if entry.folder.is_dir()]
    return [*real, *series_there(), *(entry.simulator for entry in SETS if entry.simulator)]


def _order(item: tuple[str, dict]) -> tuple:
    """Return what puts recordings of people first, then simulators, then the archive of single series."""
    name, facts = item
    return facts.get("people") is None, facts["source"] != "real", name


def read_cards(path: Path | None = None) -> dict[str, dict]:
    """Return the cards in a file, by name of the set; by default those in `results/data`.

    Raises InputError for a file that is missing or no such file.
    """
    path = path or results() / "data" / "cards.json"
    try:
        cards = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: the cards cannot be read",
            found=error,
            wanted="a JSON object, one entry a data set",
            todo="make it again: python -m companion.data_cards --out FILE",
        ) from error
    if not isinstance(cards, dict) or not all(
        isinstance(facts, dict) and "cosines" in facts for facts in cards.values()
    ):
        raise InputError(
            f"{path}: no cards",
            wanted="a JSON object, one entry a data set",
            todo="make it again: python -m companion.data_cards --out FILE",
        )
    return cards


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 done, 2 where a set could not be read; the others are written all the same."""
    parser = argparse.ArgumentParser(
        prog="python -m companion.data_cards", description="Compute the cards of data sets."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets to compute (default: all that are there)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file of the cards")
    options = parser.parse_args(arguments)
    status = 0
    try:
        writable_folder(options.out.parent)
        cards = read_cards(options.out) if options.out.exists() else {}
        for name in options.names or names_there():
            try:
                cards[name] = card(name)
            except InputError as error:
                print(f"{name}: {error}", file=sys.stderr)
                status = 2
                continue
            cards = dict(sorted(cards.items(), key=_order))
            write_text(options.out, json.dumps(cards, indent=1) + "\n")
            print(f"{name}: {cards[name]['source']}, {cards[name]['frames']} frames", flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
