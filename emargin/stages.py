"""The stages of a cell, and the code that each of them is: what the fingerprints of `emargin.fingerprint` start from.

Three things pick code at run time and are named here: the reader of the data set, the method, and the metric. A stage
leaves out what no number depends on (errors, the saving of checkpoints, the cache of frames) and what the experiment's
digest says already (settings). What is left out without being one of these has tests of its own that hold its bits:
a resumed run equals an uninterrupted one (`tests/emargin/test_training.py`), and cached frames equal those of the
reader (`tests/emargin/data/test_cache.py`). The lines of a run that hand features to the metrics are no root either
(`emargin.evaluation.scoring`): tests hold the values of a run.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from emargin.config import CORE, Experiment
from emargin.data.catalogue import entry_of, settings_of
from emargin.fingerprint import Source, Stage, fingerprint
from emargin.methods import METHODS
from emargin.resolve import resolving


def _places(names: str, package: str = "emargin") -> frozenset[str]:
    """Return "module:name" of definitions that are named without the package."""
    return frozenset(f"{package}.{name}" for name in names.split())


SETTINGS = _places(
    """
    config:Experiment resolve:resolving fields:Field methods:METHODS data.catalogue:Entry data.catalogue:Settings
    data.catalogue:entry_of data.catalogue:settings_of
    """
)
WITHOUT_NUMBERS = _places(
    """
    errors:InputError errors:MissingData errors:NonFiniteGradient training:_State training:save_atomically
    training:load_checkpoint training:_interrupts_wait training:_point training:LOG_EVERY training:SAVE_EVERY
    data.cache:framed data.checksums:files_digest rows:tidy
    """
)
METHOD = frozenset({"emargin.methods.base:Method"})  # encodes for a metric, by the code of its training


FRAMES_CLUSTERING, FRAMES_PROBING = "emargin.evaluation.frames:score_clusters", "emargin.evaluation.frames:score_probes"
ENCODING, SERIES = "emargin.evaluation.features:encode_both", "emargin.evaluation.series:scores"
POOLING = "emargin.evaluation.series:pooled"


@dataclass(frozen=True)
class Metric:
    """Scores that are computed together.

    A new metric is an entry with `names` and `function`, and the function:

        "hubness": Metric(("hubness",), function="emargin.evaluation.hubness:scores")

    Parameters
    ----------
    names : tuple of str
        What the names of its rows start with; those of series have "series_" before them.
    function : str, optional
        What computes it, as "module:name": a function of (experiment, dataset, train_features, test_features) that
        returns the value and n of each row by the row's name. Features of series are pooled, one embedding each.
    grids : tuple of str, optional
        The grids whose cells have it, by the names of their files without ".json"; None for all.
    frames, series : tuple of str
        Where the scores of frames and of whole series start from, as "module:name", if not from `function`.
    alone : frozenset of str
        Definitions on the way that belong to this metric alone: other metrics without a `function` leave them out.
    arrays : tuple of str
        The arrays that come with it.
    """

    names: tuple[str, ...]
    function: str | None = None
    grids: tuple[str, ...] | None = None
    frames: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    alone: frozenset[str] = frozenset()
    arrays: tuple[str, ...] = ()

    def roots(self, *, has_series: bool) -> tuple[str, ...]:
        """Return the definitions that the metric starts from."""
        if self.function:
            return (ENCODING, POOLING, self.function) if has_series else (ENCODING, self.function)
        return self.series if has_series else self.frames

    def holds(self, row: str) -> bool:
        """Return whether a row of that name is one of the metric's."""
        return row.removeprefix("series_").startswith(self.names)


METRICS = {
    "clustering": Metric(
        ("davies_bouldin", "silhouette", "calinski_harabasz", "nmi", "ari"),
        frames=(ENCODING, FRAMES_CLUSTERING),
        series=(ENCODING, SERIES),
        alone=_places(
            "clustering:partition clustering:scores clustering:cluster per_subject:cluster_tables",
            package="emargin.evaluation",
        ),
        arrays=("clusters", "spread", "separation", "silhouette"),
    ),
    "collapse": Metric(
        ("mean_cosine", "participation_ratio", "uniformity", "alignment"),
        frames=(ENCODING, FRAMES_CLUSTERING),
        series=(ENCODING, SERIES),
        alone=_places(
            "collapse:mean_cosine collapse:participation_ratio collapse:uniformity collapse:alignment",
            package="emargin.evaluation",
        ),
    ),
    "probe": Metric(
        ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "macro_precision", "macro_recall"),
        frames=(ENCODING, FRAMES_PROBING),
        series=(ENCODING, SERIES),
        alone=_places("probing:linear_predictions probing:linear_probe", package="emargin.evaluation"),
        arrays=("probe",),
    ),
    "further probes": Metric(
        ("converged_", "knn_", "mlp_"),
        frames=(ENCODING, FRAMES_PROBING),
        series=(ENCODING, SERIES),
        alone=_places("probing:further_predictions probing:further_probes", package="emargin.evaluation"),
        arrays=("converged",),
    ),
}
MAP_NAME, MAP = "map", Stage(("emargin.evaluation.frames:maps_of",))  # of the cells that the book draws
NEEDED = ("data", "train")  # what any row rests on


def stages_of(experiment: Experiment) -> dict[str, Stage]:
    """Return the stages of a cell by name: "data", "train", and each metric.

    Parameters
    ----------
    experiment : Experiment
        Resolved.
    """
    entry, left_out = entry_of(experiment.dataset), SETTINGS | WITHOUT_NUMBERS
    place = METHODS.places.get(experiment.method, experiment.method)
    stages = {
        "data": Stage(
            ("emargin.data.loading:load", entry.reader_for(experiment.source)),
            left_out,
            _facts(experiment, "protocol", "source", "surrogate", "split"),
            _settings(experiment.dataset),
        ),
        "train": Stage(("emargin.training:train", place), left_out, _facts(experiment, "fidelity")),
    }
    of_metrics = frozenset().union(*(metric.alone for metric in METRICS.values()))
    for name, metric in METRICS.items():
        others = frozenset() if metric.function else of_metrics - metric.alone  # a function starts where no other does
        roots = metric.roots(has_series=entry.has_series)
        stages[name] = Stage(roots, left_out | METHOD | others, _facts(experiment, "protocol"))
    return stages


@resolving
def code_versions(experiment: Experiment, source: Source | None = None) -> dict[str, str]:
    """Return the fingerprint of each stage of a cell, by the stage's name.

    Parameters
    ----------
    experiment : Experiment
    source : Source, optional
        A tree of files; the running code unless another is given.
    """
    return {name: fingerprint(stage, source) for name, stage in stages_of(experiment).items()}


def differing(experiment: Experiment, made_by: Mapping[str, str]) -> list[str]:
    """Return the stages whose code is another now than what made a cell's rows.

    A metric that the rows do not have is not among them: see `lacking`.

    Parameters
    ----------
    experiment : Experiment
    made_by : mapping of str to str
        Fingerprints by stage, as the record of the rows has them.
    """
    now = code_versions(experiment) | {MAP_NAME: map_version()}
    return [name for name in now if made_by.get(name, now[name] if name not in NEEDED else None) != now[name]]


def lacking(made_by: Mapping[str, str], grid: str | None = None) -> list[str]:
    """Return the metrics that the rows of a cell do not have.

    Parameters
    ----------
    made_by : mapping of str to str
        Fingerprints by stage, as the record of the rows has them.
    grid : str, optional
        The grid that the cell is of.
    """
    return [name for name in metrics_of(grid) if name not in made_by]


def metrics_of(grid: str | None = None) -> tuple[str, ...]:
    """Return the metrics that cells of a grid have, by the name of its file without ".json"; all if none is named."""
    return tuple(name for name, metric in METRICS.items() if not (grid and metric.grids) or grid in metric.grids)


def map_version(source: Source | None = None) -> str:
    """Return the fingerprint of the maps that the book draws of some cells."""
    return fingerprint(MAP, source)


def _facts(experiment: Experiment, *names: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, getattr(experiment, name)) for name in names)


def _settings(dataset: str) -> str:
    """Return those settings of a data set that no field of the experiment holds."""
    settings = asdict(settings_of(dataset))
    kept = {name: value for name, value in settings.items() if name not in CORE and value is not None}
    return json.dumps(kept, sort_keys=True)
