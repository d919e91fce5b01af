"""What is bad in the recordings of data sets: `emargin data list --quality`, and the page on the data."""

from collections.abc import Sequence

from emargin.config import Experiment
from emargin.data.catalogue import SETS, series_there
from emargin.data.loading import load_recordings
from emargin.data.quality import Finding, all_findings
from emargin.data.recordings import RecordingSet, as_they_are
from emargin.errors import InputError


def look(name: str) -> tuple[RecordingSet, list[Finding]]:
    """Return the recordings of a data set as they are, and what is bad in them.

    Parameters
    ----------
    name : str
        As for an experiment.

    Raises
    ------
    MissingData, InputError
        For a set that is not there or cannot be read.
    """
    with as_they_are() as notes:
        recordings, _ = load_recordings(Experiment(dataset=name))
    return recordings, all_findings(recordings, notes)


def report(names: Sequence[str]) -> tuple[str, bool]:
    """Return a line for each set and, below it, for each of its findings; and whether all sets could be read.

    Parameters
    ----------
    names : sequence of str
        Of data sets; all real ones that are there unless some are named.
    """
    lines, all_read = [], True
    for name in names or [*(entry.name for entry in SETS if entry.folder.is_dir()), *series_there()]:
        try:
            recordings, bad = look(name)
        except InputError as error:
            lines.append(f"{name}: {error}")
            all_read = False
            continue
        number, damaged = len(recordings.recordings), len({finding.recording for finding in bad})
        lines.append(f"{name}: {number} recordings ({recordings.source}), {damaged or 'none'} with bad samples")
        lines += [f"  {finding}" for finding in bad]
    return "\n".join(lines), all_read


def summary(name: str) -> dict[str, dict[str, int]]:
    """Return for each kind of bad samples in a data set how many recordings and how many values in them are so.

    Parameters and errors are those of `look`.
    """
    bad = look(name)[1]
    return {
        kind: {
            "recordings": len({finding.recording for finding in bad if finding.kind == kind}),
            "values": sum(finding.count for finding in bad if finding.kind == kind),
        }
        for kind in dict.fromkeys(finding.kind for finding in bad)
    }
