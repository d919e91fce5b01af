"""Figures and tables of the page on the data: examples of the classes, and what the cards say."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.data_cards import SCALINGS
from companion.figures.style import INK, MUTED, PALETTE, figure, legend, mark_source
from emargin.data.catalogue import settings_of
from emargin.data.recordings import RecordingSet
from emargin.data.simulated import GEOMETRIES

MOST = 20  # classes shown; the UCR archive has sets with 50
COLOURS = dict(zip(SCALINGS, (PALETTE[1], PALETTE[0]), strict=True))


def overview(cards: dict[str, dict]) -> pd.DataFrame:
    """Describe what is in the sets, a line each."""
    rows = {
        name: {
            "data": facts["source"],
            "people": facts["people"],
            "recordings": facts["recordings"],
            "hours": facts["hours"] and f"{facts['hours']:.3g}",
            "Hz": facts["sampling_rate"] and f"{facts['sampling_rate']:g}",
            "channels": facts["channels"],
            "classes": len(facts["classes"]),
            "frames": f"{facts['frames']:,}",
        }
        for name, facts in cards.items()
    }
    return _table(rows)


def geometries(cards: dict[str, dict]) -> pd.DataFrame:
    """Tell how the sets are cut, a line each: frames and sequences; people and sequences of both sides of the split."""
    rows = {}
    for name, facts in cards.items():
        geometry, split = facts["geometry"], facts["split"]
        sides = {
            unit: f"{split['train'][unit]} / {split['test'][unit]}" if split["train"][unit] is not None else None
            for unit in ("people", "sequences")
        }
        seconds = geometry["step_seconds"] and (
            geometry["frame_seconds"] + (geometry["sequence_length"] - 1) * geometry["step_seconds"]
        )
        rows[name] = {
            "n_fft": geometry["n_fft"],
            "hop": geometry["hop"],
            "frame (s)": geometry["frame_seconds"] and f"{geometry['frame_seconds']:g}",
            "D": geometry["n_features"],
            "T": geometry["sequence_length"],
            "T (s)": seconds and f"{seconds:.4g}",
            "stride": geometry["stride"],
            "people": sides["people"],
            "sequences": sides["sequences"],
        }
    return _table(rows)


def class_table(facts: dict) -> pd.DataFrame:
    """List the classes of one card: share of the labelled frames, mean run in frames and, where known, seconds."""
    step = facts["geometry"]["step_seconds"]
    rows = {
        name: {
            "frames": f"{facts_of_class['frames']:,}",
            "share": f"{facts_of_class['share']:.1%}",
            "mean run (frames)": facts_of_class["mean_run"] and f"{facts_of_class['mean_run']:.0f}",
            "mean run (s)": facts_of_class["mean_run"] and step and f"{facts_of_class['mean_run'] * step:.0f}",
        }
        for name, facts_of_class in facts["classes"].items()
    }
    return _table(rows)


def quality(cards: dict[str, dict]) -> pd.DataFrame:
    """Tell which kinds of bad samples are in the sets, a line a kind, or a line for a set without any."""
    lines = [
        (name, kind, number and f"{number['recordings']} of {facts['recordings']}", number and f"{number['values']:,}")
        for name, facts in cards.items()
        for kind, number in (facts["quality"] or {"none": None}).items()
    ]
    table = pd.DataFrame(lines, columns=["", "bad samples", "recordings", "values"], dtype=object).set_index("")
    return table.rename_axis(None).map(lambda value: "–" if value is None else value)


def detection_table(cards: dict[str, dict]) -> pd.DataFrame:
    """Score the pseudo-label as a detector of changes of class: sets in which classes change, both scalings."""
    rows = {}
    for name, facts in cards.items():
        for scaling, labels in facts["pseudo_label"].items():
            if facts["transitions"] is None:
                continue
            row = {"label 1": f"{labels['share']:.1%}"}
            for tolerance in (0, 1):
                scores = labels[f"tolerance {tolerance}"]
                row |= {
                    f"{key}, w = {tolerance}": scores[key] if scores[key] is None else f"{scores[key]:.3g}"
                    for key in ("precision", "base", "recall")
                }
            rows[name, scaling] = row
    return _table(rows)


def card_text(name: str, card: dict) -> str:
    """Return what a card has beside its classes: origin, unlabelled frames, and changes of class."""
    checksum = card["checksum"] if card["source"] == "simulated" else card["checksum"][:16]
    changes = card["transitions"]
    return "\n".join(
        [
            f"{name} ({card['source']}): {card['title']}",
            f"licence {card['licence']}; checksum {checksum}; unlabelled frames {card['unlabelled']:.1%}",
            f"{changes['changes']:,} changes of class in {changes['pairs']:,} adjacent labelled pairs: "
            f"{changes['share']:.3%}, one in {1 / changes['share']:.0f}",
        ]
    )


def series(cards: dict[str, dict]) -> pd.DataFrame:
    """Describe the sets of whole series, a line each: series on both sides, and their classes."""
    rows = {}
    for name, card in cards.items():
        if card["transitions"] is None:
            shares, split = [facts["share"] for facts in card["classes"].values()], card["split"]
            rows[name] = {
                "series (train / test)": f"{split['train']['recordings']} / {split['test']['recordings']}",
                "classes": len(shares),
                "rarest class": f"{min(shares):.1%}",
                "most frequent class": f"{max(shares):.1%}",
            }
    return _table(rows)


def paper_geometries(names: Sequence[str]) -> pd.DataFrame:
    """Tell how the paper's sets are cut under each of their names: frames, sequences, and the nominal draw a class."""
    rows = {}
    for name in names:
        settings, geometry = settings_of(name), GEOMETRIES[name.partition("-")[0]]
        length, step = settings.window or settings.n_fft, settings.window or settings.hop
        rows[name] = {
            "samples a frame": length,
            "step": step,
            "frame (s)": f"{length / geometry.rate:g}",
            "D": geometry.channels * (settings.window or settings.n_fft // 2 + 1),
            "T": settings.sequence_length,
            "T (s)": f"{(length + (settings.sequence_length - 1) * step) / geometry.rate:g}",
            "nominal draw a class": ", ".join(map(str, settings.draw)),
        }
    return _table(rows)


def _table(rows: dict) -> pd.DataFrame:
    """Make a line a key, with a dash for None."""
    return pd.DataFrame(rows, dtype=object).T.map(lambda value: "–" if value is None else value)


def examples(recordings: RecordingSet, source: str, *, span: int | None = None) -> Figure:
    """Draw one stretch of each class, a panel each, from the middle of the longest run of that class.

    span: samples (or frames, of a set that comes framed), None for the whole run. A signal is drawn as one line a
    channel, frames as an image of standardised features.
    """
    chosen = {
        label: stretch
        for label in range(len(recordings.classes))
        if (stretch := longest_run(recordings, label, span)) is not None
    }
    shown = dict(list(chosen.items())[:MOST])
    columns = 2 if len(shown) in (2, 4) else 3 if len(shown) <= 12 else 4
    rows = -(-len(shown) // columns)
    if recordings.framed:  # features of different sizes, each in its own standard deviations
        everything = np.concatenate([recording.values for recording in recordings.recordings])
        mean, std = everything.mean(0, dtype=np.float64), everything.std(0, dtype=np.float64)
        shown = {label: (values - mean) / std for label, values in shown.items()}
    height = 2.1 if rows == 1 else 1.7 if rows == 2 else 1.25
    fig, axes = figure(rows, columns, height=height, sharey=True, sharex=not recordings.framed, squeeze=False)
    for axis, (label, values) in zip(axes.flat, shown.items(), strict=False):
        _draw(axis, values, recordings)
        axis.set_title(recordings.classes[label])
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    unit = "frame" if recordings.framed else "s" if recordings.sampling_rate > 1 else "sample"
    for axis in axes.flat[max(0, len(shown) - columns) : len(shown)]:  # the lowest of each column
        axis.set_xlabel(unit)
        axis.tick_params(labelbottom=True)
    rest = len(recordings.classes) - len(shown)
    mark_source(fig, source if rest == 0 else f"{source}; {rest} further classes not shown")
    return fig


def longest_run(recordings: RecordingSet, label: int, span: int | None) -> np.ndarray | None:
    """Return the middle of the longest run of a class in any recording, `(span, channels)`; None without one."""
    longest, best = 0, None
    for recording in recordings.recordings:
        inside = np.diff(np.concatenate([[0], recording.labels == label, [0]]).astype(np.int8))
        starts, ends = np.flatnonzero(inside == 1), np.flatnonzero(inside == -1)
        if len(starts) and (ends - starts).max() > longest:
            run = int((ends - starts).argmax())
            longest, best = ends[run] - starts[run], recording.values[starts[run] : ends[run]]
    if best is None or span is None:
        return best
    first = max(0, (longest - span) // 2)
    return best[first : first + span]


def _draw(axis: Axes, values: np.ndarray, recordings: RecordingSet) -> None:
    if recordings.framed:
        axis.imshow(values.T, aspect="auto", origin="lower", cmap="RdBu_r", vmin=-2, vmax=2, interpolation="none")
        return
    time = np.arange(len(values)) / recordings.sampling_rate
    for channel in reversed(range(values.shape[1])):  # the first one on top
        axis.plot(time, values[:, channel], color=PALETTE[channel % len(PALETTE)], linewidth=0.9)
    axis.margins(x=0)


def cosine_ranges(cards: dict[str, dict], threshold: float, source: str) -> Figure:
    """Draw adjacent cosines a set, raw and standardised: the middle 98 % (thin), middle half (thick), median."""
    fig, axis = figure(height=0.36 * len(cards) + 1.0)
    axis.axvspan(-1, threshold, color="#EEEEEE", zorder=0, label=f"label 1: cosine not above θ = {threshold:g}")
    axis.axvline(threshold, color=INK, linewidth=1.0, linestyle="--", zorder=1)
    for row, facts in enumerate(cards.values()):
        for scaling, shift, marker in zip(SCALINGS, (-0.17, 0.17), ("o", "s"), strict=True):
            at, colour = facts["cosines"][scaling], COLOURS[scaling]
            axis.plot([at["0.01"], at["0.99"]], [row + shift] * 2, color=colour, linewidth=1.0)
            axis.plot(
                [at["0.25"], at["0.75"]],
                [row + shift] * 2,
                color=colour,
                linewidth=4.5,
                alpha=0.55,
                solid_capstyle="butt",
            )
            axis.plot(
                at["0.5"],
                row + shift,
                marker=marker,
                color=colour,
                markersize=5,
                linestyle="none",
                markeredgecolor="white",
                markeredgewidth=0.6,
                label=scaling if row == 0 else None,
            )
    axis.set(
        yticks=range(len(cards)),
        yticklabels=list(cards),
        ylim=(len(cards) - 0.4, -0.6),
        xlim=(-0.6, 1.005),
        xlabel="cosine of adjacent frames",
    )
    legend(fig, ncols=3)
    mark_source(fig, source)
    return fig


def change_detection(cards: dict[str, dict], source: str) -> Figure:
    """Draw how well the pseudo-label detects changes, a line a set in which classes change; no tolerance.

    Left: precision, and the base rate, which is the precision of labels drawn at random. Right: recall, and the share
    of pairs with label 1, which is the recall of as many labels drawn at random.
    """
    changing = {name: facts for name, facts in cards.items() if facts["transitions"]}
    fig, axes = figure(1, 2, height=0.5 * len(changing) + 1.1, sharey=True)
    for row, facts in enumerate(changing.values()):
        for scaling, shift, marker in zip(SCALINGS, (-0.17, 0.17), ("o", "s"), strict=True):
            labels = facts["pseudo_label"][scaling]
            scores = labels["tolerance 0"]
            for axis, value, chance in (
                (axes[0], scores["precision"], scores["base"]),
                (axes[1], scores["recall"], labels["share"]),
            ):
                first = row == 0
                axis.plot(
                    [chance] * 2,
                    [row + shift - 0.16, row + shift + 0.16],
                    color=INK,
                    linewidth=1.6,
                    label="labels drawn at random" if first and scaling == SCALINGS[0] else None,
                )
                if value is not None:
                    axis.plot([chance, value], [row + shift] * 2, color=COLOURS[scaling], linewidth=1.0)
                    axis.plot(
                        value,
                        row + shift,
                        marker=marker,
                        color=COLOURS[scaling],
                        linestyle="none",
                        markersize=6,
                        label=scaling if first else None,
                        clip_on=False,
                    )
    axes[0].set_xscale("symlog", linthresh=1e-3)  # a precision of 0 must have its place, too
    axes[0].set(
        title="precision",
        xlim=(0, 0.3),
        yticks=range(len(changing)),
        yticklabels=list(changing),
        ylim=(len(changing) - 0.5, -0.5),
    )
    axes[1].set(title="recall", xlim=(0, 1))
    for axis in axes:
        axis.tick_params(axis="y", length=0)
        for row in range(1, len(changing)):
            axis.axhline(row - 0.5, color="#DDDDDD", linewidth=0.6, zorder=0)
        axis.axvline(0, color=MUTED, linewidth=0.6, zorder=0)
    handles, names = axes[1].get_legend_handles_labels()
    legend(fig, handles, names, loc="outside upper left", ncols=3)
    mark_source(fig, source)
    return fig
