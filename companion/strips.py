"""A few seconds of each real data set, its frames and their labels, for a figure that needs no recordings.

    python -m companion.strips --out results/charts/strips.json

takes of each set the stretch of so many frames that has the most classes, and of its rarest class the most frames.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from companion.committed import results
from companion.data_cards import Framed, frames_of
from emargin.data.recordings import UNLABELLED
from emargin.rows import write_text

FRAMES = {"mitbih": 10, "mitbih-beats": 10, "dsads": 10, "spsw-har": 24, "sleepedf-features": 24, "ucr-SwedishLeaf": 29}
CHANNELS = 3  # the first ones, of a signal
VALUES = 700  # at most, of a channel


def most_classes(labels: list[np.ndarray], frames: int) -> tuple[int, int]:
    """Return recording and frame at which the stretch of labelled frames with the most classes starts.

    Of those with as many, the one whose rarest class has the most frames, and of these the first.

    labels : of the frames of each recording, `(F,)`.
    """
    best, most = (-1, -1), (0, 0)
    for number, of_recording in enumerate(labels):
        for start in range(len(of_recording) - frames + 1):
            kinds, counts = np.unique(of_recording[start : start + frames], return_counts=True)
            if (found := (len(kinds), counts.min())) > most and UNLABELLED not in kinds:
                best, most = (number, start), found
    return best


def strip(framed: Framed, frames: int, signals: Framed | None = None) -> dict:
    """Return a stretch of a data set: "values" a line a channel (or feature), "labels" a frame, and what they mean.

    A signal keeps its unit and every `step`-th sample; frame q covers n_fft samples of the stretch from q hop on.
    Ready-made features are in standard deviations over the recording. signals : the set whose signals the recordings of
    the same names are frames of.
    """
    number, start = most_classes([part.labels.numpy() for part in framed.sequences], frames)
    labels = framed.sequences[number].labels[start : start + frames].tolist()
    name, classes = framed.recordings.recordings[number].name, framed.recordings.classes
    framed = signals or framed
    recordings = framed.recordings
    (recording,) = (recording for recording in recordings.recordings if recording.name == name)
    window, hop = (1, 1) if recordings.framed else (framed.experiment.n_fft, framed.experiment.hop)
    values = np.asarray(recording.values, dtype=np.float64)
    if recordings.framed:
        values = (values - values.mean(0)) / values.std(0)
    else:
        values = values[:, :CHANNELS]
    values = values[start * hop : start * hop + (frames - 1) * hop + window]
    step = -(-len(values) // VALUES)
    return {
        "recording": name,
        "start": start,
        "framed": recordings.framed,
        "sampling_rate": recordings.sampling_rate,
        "n_fft": window,
        "hop": hop,
        "step": step,
        "classes": {label: classes[label] for label in sorted(set(labels))},
        "labels": labels,
        "values": [[float(f"{value:.3g}") for value in channel] for channel in values[::step].T],
    }


def read_strips(path: Path | None = None) -> dict[str, dict]:
    """Return the strips in a file, by name of the set; by default the committed ones."""
    path = path or results() / "charts" / "strips.json"
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    """Write the strips of all sets."""
    parser = argparse.ArgumentParser(prog="python -m companion.strips", description="A few seconds of each real set.")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file of the strips")
    options = parser.parse_args(arguments)
    sets = {name: frames_of(name) for name in FRAMES}
    signals = {"mitbih-beats": sets["mitbih"]}  # whose reader makes the frames, since notes of beats label frames
    strips = {name: strip(sets[name], frames, signals.get(name)) for name, frames in FRAMES.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in strips.items())
    write_text(options.out, f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
