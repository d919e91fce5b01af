"""Nights of Sleep-EDF as features that a third party computed, in npz files called SC4ssNE0.

recordings = load_sleepedf_features(Path("data/sleepedf-features"))
"""

from dataclasses import replace
from pathlib import Path

from emargin.data.readers.npz import load_folder
from emargin.data.recordings import Recording, RecordingSet


def load_sleepedf_features(folder: Path) -> RecordingSet:
    """Read the nights in the neutral npz format; subject ss has up to two nights N, which stay together.

    Returns what `load_folder` does, the subject being the first five characters of a file's name.
    Raises InputError where it does.
    """
    recordings = load_folder(folder)
    return replace(
        recordings,
        recordings=tuple(
            Recording(night.name, night.name[:5], night.values, night.labels) for night in recordings.recordings
        ),
    )
