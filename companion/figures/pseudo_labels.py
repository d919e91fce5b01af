"""Figures of the page on pseudo-labels (the paper's section 3.1)."""

from dataclasses import replace

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.figures.style import INK, MARKERS, MUTED, PALETTE, figure, legend, mark_source
from emargin.config import Experiment
from emargin.data.catalogue import settings_of
from emargin.data.dataset import Dataset
from emargin.data.framing import frame_labels, stft_frames
from emargin.data.loading import load_recordings
from emargin.data.protocols import build
from emargin.data.recordings import RecordingSet
from emargin.resolve import Resolved

FEWEST = 20  # a precision over fewer labelled pairs than this is not drawn
ENCODER, MAGNITUDES = "the encoder's input", "STFT magnitudes"  # two scalings of a signal


def magnitude_sequences(recordings: RecordingSet, experiment: Experiment) -> tuple[Tensor, Tensor]:
    """Frames before any standardisation, `(S, T, D)`, and their classes, `(S, T)`: consecutive, without overlap.

    A set that comes framed is taken as it is.
    """
    length, frames, classes = experiment.sequence_length, [], []
    for recording in recordings.recordings:
        if recordings.framed:
            framed, labelled = torch.from_numpy(recording.values.copy()), recording.labels
        elif len(recording.values) < experiment.n_fft:
            continue
        else:
            framed = stft_frames(recording.values, experiment.n_fft, experiment.hop)
            labelled = frame_labels(recording.labels, experiment.n_fft, experiment.hop, len(recordings.classes))
        whole = len(framed) // length * length
        frames.append(framed[:whole].unflatten(0, (-1, length)))
        classes.append(torch.from_numpy(labelled[:whole]).unflatten(0, (-1, length)))
    return torch.cat(frames), torch.cat(classes)


def two_scalings(experiment: Resolved) -> tuple[Dataset, dict[str, tuple[Tensor, Tensor]]]:
    """Return a data set without overlapping sequences, and its frames and their classes in both scalings.

    Frames `(S, T, D)` and classes `(S, T)` are those of both sides of the split: the encoder's input as the protocol
    standardises it, and `magnitude_sequences`. Each pair of adjacent frames is in them once.
    """
    apart = replace(experiment, stride=experiment.sequence_length)
    recordings, checksum = load_recordings(apart)
    data = build(recordings, settings_of(apart.dataset), apart, checksum)
    sides = data.train, data.test
    frames = torch.cat([side.batch(slice(None)) for side in sides])
    classes = torch.cat([side.labels[side.indices()] for side in sides])
    return data, {ENCODER: (frames, classes), MAGNITUDES: magnitude_sequences(recordings, apart)}


def source_of(data: Dataset, experiment: Experiment) -> str:
    """Return what a figure says of its data."""
    return f"{data.name}: {data.source} data" + ", quick profile" * experiment.quick


def thresholds(marked: float) -> list[float]:
    """Return thresholds from -0.5 to 1, the one that is marked and one just below 0 among them: a jump is upright."""
    return sorted({step / 20 for step in range(-10, 21)} | {marked, -1e-9})


def cosine_histogram(cosines: dict[str, Tensor], threshold: float, source: str) -> Figure:
    """Distribution of the adjacent cosines, one panel an input, with the threshold. cosines: name -> any shape."""
    fig, axes = figure(len(cosines), 1, height=1.55, sharex=True, squeeze=False)
    bins = np.linspace(-0.5, 1, 76)
    for number, (axis, (name, values)) in enumerate(zip(axes[:, 0], cosines.items(), strict=True)):
        values = values.flatten().numpy()
        axis.axvspan(-0.5, threshold, color="#EEEEEE", zorder=0)
        axis.hist(values.clip(-0.5, 1), bins=bins, weights=np.full(len(values), 1 / len(values)), color=PALETTE[number])
        axis.axvline(threshold, color=INK, linewidth=1.2, linestyle="--")
        axis.margins(y=0.3)
        axis.set(ylabel="share of pairs", xlim=(-0.5, 1.005))
        axis.set_title(name)
    axes[0, 0].annotate(
        f"label 1: cosine not above θ = {threshold:g}",
        (threshold, 0.92),
        va="top",
        ha="right",
        xycoords=("data", "axes fraction"),
        xytext=(-5, 0),
        textcoords="offset points",
    )
    axes[-1, 0].set_xlabel("cosine of adjacent frames")
    mark_source(fig, source)
    return fig


def share_over_threshold(
    thresholds: list[float], shares: dict[str, list[float]], threshold: float, source: str
) -> Figure:
    """Share of pairs with label 1 over theta, one line a name; `threshold` is marked."""
    fig, axis = figure(height=2.7)
    for number, (name, values) in enumerate(shares.items()):
        axis.plot(
            thresholds,
            values,
            color=PALETTE[number],
            marker=MARKERS[number],
            markersize=4.5,
            markevery=4,
            linewidth=1.5,
            label=name,
            zorder=3 - number,
        )
    axis.axvline(threshold, color=INK, linewidth=1.0, linestyle="--")
    axis.annotate(f"θ = {threshold:g}", (threshold, 0.8), xytext=(-5, 0), textcoords="offset points", ha="right")
    axis.set(
        xlabel="threshold θ",
        ylabel="share of pairs labelled 1",
        ylim=(-0.03, 1.05),
        xlim=(min(thresholds), max(thresholds)),
    )
    legend(fig, loc="outside upper left", ncols=len(shares))
    mark_source(fig, source)
    return fig


def time_line(
    frames: Tensor,
    classes: Tensor,
    cosines: Tensor,
    labels: Tensor,
    names: tuple[str, ...],
    threshold: float,
    source: str,
) -> Figure:
    """One sequence: its classes, its frames as an image, its adjacent cosines with the pairs labelled 1.

    frames `(T, D)`, classes `(T,)`, cosines and labels `(T - 1,)`; pair t lies between frames t and t + 1.
    """
    length = len(frames)
    fig, axes = figure(3, 1, height=1.5, sharex=True, gridspec_kw={"height_ratios": (0.34, 1, 1.15)})
    changes = torch.nonzero(classes[1:] != classes[:-1]).flatten().tolist()
    edges = [-0.5, *(t + 0.5 for t in changes), length - 0.5]
    present = sorted(set(classes.tolist()))
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        kind = int(classes[int(start + 0.5)])
        axes[0].axvspan(start, end, color=PALETTE[present.index(kind) % len(PALETTE)], alpha=0.75, linewidth=0)
    handles = [
        axes[0].axvspan(
            -1, -1, color=PALETTE[number % len(PALETTE)], alpha=0.75, label=names[kind] if kind >= 0 else "unlabelled"
        )
        for number, kind in enumerate(present)
    ]
    axes[0].set(yticks=[], title="true class")
    limit = float(frames.abs().quantile(0.95))
    image = axes[1].imshow(
        frames.T.numpy(),
        aspect="auto",
        origin="lower",
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(-0.5, length - 0.5, 0, frames.shape[1]),
        interpolation="none",
    )
    axes[1].set(ylabel="feature", title="frames, as the encoder gets them")
    fig.colorbar(image, ax=axes[1], pad=0.01, aspect=12)
    middle = np.arange(length - 1) + 0.5
    for number, t in enumerate(changes):
        axes[2].axvline(t + 0.5, color=MUTED, linewidth=1.0, label="change of class" if number == 0 else None)
    axes[2].plot(middle, cosines, color=PALETTE[0], linewidth=1.2)
    axes[2].axhline(threshold, color=INK, linewidth=1.0, linestyle="--", label=f"θ = {threshold:g}")
    axes[2].plot(
        middle[labels.numpy()],
        cosines[labels],
        linestyle="none",
        marker="v",
        markersize=6,
        color=PALETTE[1],
        label="label 1",
    )
    axes[2].set(
        xlabel="frame",
        ylabel="cosine",
        title="cosine of adjacent frames",
        xlim=(-0.5, length - 0.5),
        ylim=(min(-0.05, float(cosines.min()) - 0.05), 1.02),
    )
    legend(fig, handles=[*handles, *axes[2].get_legend_handles_labels()[0]], ncols=4)
    mark_source(fig, source)
    return fig


def detection_curves(curves: dict[str, dict[float, dict[str, float]]], threshold: float, source: str) -> Figure:
    """Precision and recall of label 1, and one against the other.

    curves: name of the input -> theta -> what `companion.detection` returns. The left panel shows the first input.
    """
    fig, (left, right) = figure(1, 2, height=3.0)
    first = next(iter(curves.values()))
    seen = {theta: score for theta, score in first.items() if score["ones"] >= FEWEST}
    for number, kind in ((0, "precision"), (2, "recall")):
        left.plot(
            list(seen),
            [score[kind] for score in seen.values()],
            color=PALETTE[number],
            label=kind,
            marker=MARKERS[number],
            markevery=4,
            markersize=4.5,
        )
    left.axvline(threshold, color=INK, linewidth=1.0, linestyle="--", label=f"θ = {threshold:g}")
    left.set(xlabel="threshold θ", ylabel="share", ylim=(-0.02, 1.02), title=next(iter(curves)))
    base = next(iter(first.values()))["base"]
    for number, (name, scores) in enumerate(curves.items()):
        shown = [score for score in scores.values() if score["ones"] >= FEWEST]
        right.plot(
            [score["recall"] for score in shown],
            [score["precision"] for score in shown],
            label=name,
            color=PALETTE[number],
            marker=MARKERS[number],
            markevery=4,
            markersize=4.5,
        )
    if threshold in seen:
        at = seen[threshold]
        right.plot(
            at["recall"],
            at["precision"],
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=INK,
            linestyle="none",
            label=f"θ = {threshold:g}",
        )
    right.set(
        xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title="precision against recall"
    )
    for axis in (left, right):
        axis.axhline(base, color=MUTED, linewidth=1.0, linestyle=":", label="base rate" if axis is left else None)
    legend(fig, ncols=4)
    mark_source(fig, source)
    return fig
