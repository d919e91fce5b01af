"""The stages of a cell, and the code that each of them is: what the fingerprints of `emargin.fingerprint` start from.

Three things pick code at run time and are named here: the reader of the data set, the method, and the metric. A stage
leaves out what no number depends on (errors, the saving of checkpoints, the cache of frames) and what the experiment's
digest says already (settings). What is left out without being one of these has tests of its own that hold its bits:
a resumed run equals an uninterrupted one (`tests/emargin/test_training.py`), and cached frames equal those of the reader
(`tests/emargin/data/test_cache.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from emargin.config import CORE, Experiment
from emargin.data.catalogue import entry_of, settings_of
from emargin.fingerprint import Source, Stage, fingerprint
from emargin.methods import METHODS
from emargin.resolve import resolving

SETTINGS = frozenset(
    {
        "emargin.config:Experiment",
        "emargin.resolve:resolving",
        "emargin.fields:Field",
        "emargin.methods:METHODS",
        "emargin.data.catalogue:Entry",
        "emargin.data.catalogue:Settings",
        "emargin.data.catalogue:entry_of",
        "emargin.data.catalogue:settings_of",
    }
)
WITHOUT_NUMBERS = frozenset(
    {
        "emargin.errors:InputError",
        "emargin.errors:MissingData",
        "emargin.errors:NonFiniteGradient",
        "emargin.training:_State",
        "emargin.training:save_atomically",
        "emargin.training:load_checkpoint",
        "emargin.training:_interrupts_wait",
        "emargin.training:_point",
        "emargin.training:LOG_EVERY",
        "emargin.training:SAVE_EVERY",
        "emargin.data.cache:framed",
        "emargin.data.checksums:files_digest",
        "emargin.rows:tidy",
    }
)
METHOD = frozenset({"emargin.methods.base:Method"})  # encodes for a metric, by the code of its training


@dataclass(frozen=True)
class Metric:
    """Scores that are computed together.

    Parameters
    ----------
    names : tuple of str
        What the names of its rows start with; those of series have "series_" before them.
    frames, series : tuple of str
        Where the scores of frames and of whole series start from, as "module:name".
    alone : frozenset of str
        Definitions on the way that belong to this metric alone: other metrics leave them out.
    """

    names: tuple[str, ...]
    frames: tuple[str, ...]
    series: tuple[str, ...]
    alone: frozenset[str]


FRAMES_CLUSTERING, FRAMES_PROBING = "emargin.evaluation.frames:score_clusters", "emargin.evaluation.frames:score_probes"
ENCODING, SERIES = "emargin.evaluation.features:encode_both", "emargin.evaluation.series:scores"
METRICS = {
    "clustering": Metric(
        ("davies_bouldin", "silhouette", "calinski_harabasz", "nmi", "ari"),
        (ENCODING, FRAMES_CLUSTERING),
        (ENCODING, SERIES),
        frozenset(
            {
                "emargin.evaluation.clustering:partition",
                "emargin.evaluation.clustering:scores",
                "emargin.evaluation.clustering:cluster",
                "emargin.evaluation.per_subject:cluster_tables",
            }
        ),
    ),
    "collapse": Metric(
        ("mean_cosine", "participation_ratio", "uniformity", "alignment"),
        (ENCODING, FRAMES_CLUSTERING),
        (ENCODING, SERIES),
        frozenset(
            {
                "emargin.evaluation.collapse:mean_cosine",
                "emargin.evaluation.collapse:participation_ratio",
                "emargin.evaluation.collapse:uniformity",
                "emargin.evaluation.collapse:alignment",
            }
        ),
    ),
    "probe": Metric(
        ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "macro_precision", "macro_recall"),
        (ENCODING, FRAMES_PROBING),
        (ENCODING, SERIES),
        frozenset({"emargin.evaluation.probing:linear_predictions", "emargin.evaluation.probing:linear_probe"}),
    ),
    "further probes": Metric(
        ("converged_", "knn_", "mlp_"),
        (ENCODING, FRAMES_PROBING),
        (ENCODING, SERIES),
        frozenset({"emargin.evaluation.probing:further_predictions", "emargin.evaluation.probing:further_probes"}),
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
    for name, metric in METRICS.items():
        others = frozenset().union(*(other.alone for other in METRICS.values() if other is not metric)) - metric.alone
        stages[name] = Stage(
            metric.series if entry.has_series else metric.frames,
            left_out | METHOD | others,
            _facts(experiment, "protocol"),
        )
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


def lacking(experiment: Experiment, made_by: Mapping[str, str]) -> list[str]:
    """Return the metrics of a cell that its rows do not have.

    Parameters
    ----------
    experiment : Experiment
    made_by : mapping of str to str
        Fingerprints by stage, as the record of the rows has them.
    """
    return [name for name in code_versions(experiment) if name not in made_by and name not in NEEDED]


def map_version(source: Source | None = None) -> str:
    """Return the fingerprint of the maps that the book draws of some cells."""
    return fingerprint(MAP, source)


def _facts(experiment: Experiment, *names: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, getattr(experiment, name)) for name in names)


def _settings(dataset: str) -> str:
    """Return those settings of a data set that no field of the experiment holds."""
    known = set(CORE)
    return json.dumps(
        {
            name: value
            for name, value in asdict(settings_of(dataset)).items()
            if name not in known and value is not None
        },
        sort_keys=True,
    )
