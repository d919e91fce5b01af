"""The stages of a cell, and the code that each of them is: what the fingerprints of `emargin.fingerprint` start from.

Three things pick code at run time and are named here: the reader of the data set, the method, and the metric. A stage
leaves out what no number depends on (errors, the saving of checkpoints, the cache of frames) and what the experiment's
digest says already (settings). What is left out without being one of these has tests of its own that hold its bits:
a resumed run equals an uninterrupted one (`tests/emargin/test_training.py`), and cached frames equal those of the
reader (`tests/emargin/data/test_cache.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from emargin.config import CORE, Experiment
from emargin.data.catalogue import Settings, entry_of, settings_of
from emargin.fingerprint import Source, Stage, fingerprint
from emargin.methods import METHODS, declaration
from emargin.resolve import resolving


def _places(names: str, package: str = "emargin") -> frozenset[str]:
    """Return "module:name" of definitions that are named without the package."""
    return frozenset(f"{package}.{name}" for name in names.split())


SETTINGS = _places(
    """
    config:Experiment resolve:resolving fields:Field methods:METHODS data.catalogue:Entry data.catalogue:Settings
    data.catalogue:entry_of data.catalogue:settings_of data.catalogue:window_of
    """
)
WITHOUT_NUMBERS = _places(
    """
    errors:InputError errors:MissingData errors:NonFiniteGradient training:_State training:_checkpointing
    training:stops_call training:_interrupts_wait training:_point training:LOG_EVERY training:SAVE_EVERY
    data.cache:framed data.checksums:files_digest rows:tidy
    """
)
METHOD = frozenset({"emargin.methods.base:Method"})  # encodes for a metric, by the code of its training
ENCODING = {False: "emargin.evaluation.features:encode_both", True: "emargin.evaluation.series:encode_both"}
HANDING_OVER = "emargin.evaluation.scoring:values_of"  # calls what a metric names
ALONE = "emargin.evaluation.features:encode_alone"
CLUSTERED = ("clustering", "collapse")  # metrics of the frames that are clustered, as the map is


@dataclass(frozen=True)
class Metric:
    """Scores that are computed together.

    A new metric is an entry with `names` and `function`, and the function:

        "hubness": Metric(("hubness",), "emargin.evaluation.hubness:scores")

    Parameters
    ----------
    names : tuple of str
        What the names of its rows start with; those of series have "series_" before them.
    function : str
        What computes it, as "module:name": a function of (experiment, dataset, train_features, test_features) that
        returns the value and n of each row, perhaps with a note, by the row's name, and arrays by theirs.
    grids : tuple of str, optional
        The grids whose cells have it, by the names of their files without ".json"; None for all, and for cells of none.
    series : str, optional
        What computes it for whole series, from features that are pooled, one embedding each, if not `function`.
    arrays : tuple of str
        The arrays that come with it.
    needs : str, optional
        What says from the labels of the data alone why it cannot be computed, as "module:name": see
        `emargin.evaluation.needs`.
    not_in : tuple of str
        The grids whose cells do not have it, by the names of their files, if `grids` is None.
    """

    names: tuple[str, ...]
    function: str
    grids: tuple[str, ...] | None = None
    series: str | None = None
    arrays: tuple[str, ...] = ()
    needs: str | None = None
    not_in: tuple[str, ...] = ()

    def computed_by(self, *, has_series: bool) -> str:
        """Return the function that computes the metric."""
        return (has_series and self.series) or self.function

    def roots(self, *, has_series: bool) -> tuple[str, ...]:
        """Return the definitions that the metric starts from."""
        return ENCODING[has_series], HANDING_OVER, self.computed_by(has_series=has_series)

    def is_in(self, grid: str | None) -> bool:
        """Return whether cells of a grid, or of none, have the metric."""
        return grid not in self.not_in if self.grids is None else grid in self.grids

    def holds(self, row: str) -> bool:
        """Return whether a row of that name is one of the metric's."""
        return row.removeprefix("series_").startswith(self.names)


def _built_in(
    names: str,
    function: str,
    needs: str,
    *arrays: str,
    prefix: str = "",
    grids: tuple[str, ...] | None = None,
    not_in: tuple[str, ...] = (),
) -> Metric:
    """Return the entry of a metric that has a function of the same name for frames and for series."""
    rows = tuple(f"{prefix}{name}" for name in names.split())
    frames, series = (f"emargin.evaluation.{module}:{function}" for module in ("frames", "series"))
    return Metric(rows, frames, grids, series, arrays, f"emargin.evaluation.needs:{needs}", not_in)


MEASURED = ("core", "encoders", "beats")  # grids with the certified and the chosen probes, not "converged"
CURVES = ("dial", "budgets")  # grids of a metric each, with the clusters and the paper's probe beside it
CLASSIFICATION = "accuracy balanced_accuracy weighted_f1 macro_f1 macro_precision macro_recall"
METRICS = {
    "clustering": _built_in(
        "davies_bouldin silhouette calinski_harabasz nmi ari",
        "score_clusters",
        "of_clusters",
        *("clusters", "spread", "separation", "silhouette"),
    ),
    "collapse": _built_in("mean_cosine participation_ratio uniformity alignment", "score_collapse", "of_collapse"),
    "probe": _built_in(CLASSIFICATION, "score_probe", "of_probe", "probe"),
    "converged": _built_in(
        CLASSIFICATION,
        "score_converged",
        "of_probe",
        "converged",
        prefix="converged_",
        not_in=(*MEASURED, *CURVES),
    ),
    "certified": _built_in(
        f"{CLASSIFICATION} gradient", "score_certified", "of_probe", "certified", prefix="certified_", grids=MEASURED
    ),
    "chosen": _built_in(
        f"{CLASSIFICATION} gradient C", "score_chosen", "of_probe", "chosen", prefix="chosen_", grids=MEASURED
    ),
    "whitened": _built_in(
        f"{CLASSIFICATION} gradient C dimensions",
        "score_whitened",
        "of_probe",
        "whitened",
        prefix="whitened_",
        grids=MEASURED,
    ),
    "knn": _built_in(CLASSIFICATION, "score_neighbours", "of_neighbours", prefix="knn_", not_in=CURVES),
    "mlp": _built_in(CLASSIFICATION, "score_mlp", "of_mlp", prefix="mlp_", not_in=CURVES),
    "dial": Metric(
        ("dial_",),
        "emargin.evaluation.dial:score_dial",
        ("dial",),
        arrays=("dial_probe", "dial_certified"),
        needs="emargin.evaluation.needs:of_dial",
    ),
    "budgets": Metric(
        ("budget_",),
        "emargin.evaluation.budgets:score_frames",
        ("budgets",),
        "emargin.evaluation.budgets:score_series",
        needs="emargin.evaluation.needs:of_probe",
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
    entry, settings = entry_of(experiment.dataset), settings_of(experiment.dataset)
    left_out = SETTINGS | WITHOUT_NUMBERS
    stages = {
        "data": Stage(
            ("emargin.data.loading:load", entry.reader_for(experiment.source)),
            left_out,
            (*_facts(experiment, "protocol", "source", "surrogate", "split", "quality"), ("joined", settings.joined)),
            _settings(settings),
        ),
        "train": train_stage(experiment),
    }
    alone = clusters_alone(experiment)
    for name, metric in METRICS.items():
        roots = (*metric.roots(has_series=entry.has_series), *[ALONE] * (alone and name in CLUSTERED))
        stages[name] = Stage(roots, left_out | METHOD, _facts(experiment, "protocol"))
    return stages


def clusters_alone(experiment: Experiment) -> bool:
    """Return whether frames are clustered as they are encoded one at a time; series never are."""
    has_series = entry_of(experiment.dataset).has_series
    return not has_series and experiment.fidelity in declaration(experiment.method).clustered_alone


def train_stage(experiment: Experiment) -> Stage:
    """Return the stage "train" of a resolved experiment, whose data need not be there."""
    place = METHODS.places.get(experiment.method, experiment.method)
    facts = _facts(experiment, "fidelity", "encoder")
    return Stage(("emargin.training:train", place), SETTINGS | WITHOUT_NUMBERS, facts)


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
    """Return the metrics that cells of a grid have, by the name of its file without ".json".

    Without a grid, those that no grid has to itself.
    """
    return tuple(name for name, metric in METRICS.items() if metric.is_in(grid))


def map_version(source: Source | None = None) -> str:
    """Return the fingerprint of the maps that the book draws of some cells."""
    return fingerprint(MAP, source)


def _facts(experiment: Experiment, *names: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, getattr(experiment, name)) for name in names)


def _settings(settings: Settings) -> str:
    """Return those settings of a data set that no field of the experiment holds, and that pick no branch."""
    named = asdict(settings)
    kept = {name: value for name, value in named.items() if name not in {*CORE, "joined"} and value is not None}
    return json.dumps(kept, sort_keys=True)
