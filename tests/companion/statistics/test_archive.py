"""The archive's tables: what is chosen, counted and subtracted, against the rows by hand."""

from types import SimpleNamespace

import pandas as pd
import pytest

from companion.grid.store import Store
from companion.statistics import archive
from emargin.errors import InputError
from emargin.paths import home


def one(dataset, method, fidelity="released", *, labels="", reading="", **scores):
    return {"dataset": dataset, "method": method, "fidelity": fidelity, "labels": labels, "reading": reading, **scores}


def series_of(metric: str) -> pd.DataFrame:
    """The committed values of a score of whole series."""
    rows = Store(home() / "results" / "ucr").rows
    return rows[(rows.metric == f"series_{metric}") & (rows.protocol == "original")]


def test_rows_of_frames_are_refused():
    frames = SimpleNamespace(rows=pd.DataFrame({"metric": ["silhouette", "accuracy"]}))
    with pytest.raises(InputError, match="no scores of whole series in these rows"):
        archive.read(frames)


def test_the_compared_encoders_are_those_at_their_defaults():
    scores = dict.fromkeys(archive.SCORES, 0.254)
    found = pd.DataFrame(
        [
            one("ucr-A", "random-calibrated", **scores),
            one("ucr-A", "emargin", labels="released", **scores),
            one("ucr-A", "emargin", labels="paper", **scores),  # the released loss with the paper's labels
            one("ucr-A", "emargin", "original", labels="paper", reading="anchor", **scores | {"nmi": 0.5}),
            one("ucr-A", "emargin", "original", labels="paper", reading="pair", **scores),
            one("ucr-A", "tnc", **scores),
        ]
    )
    table = archive.beside_untrained(found)
    assert table["Set: encoder"].tolist() == ["A: random", "A: eMargin, released", "A: eMargin, original"]
    assert table.DBI.tolist() == ["0.25"] * 3 and table.NMI.tolist() == ["0.25", "0.25", "0.50"]


def test_a_gap_is_of_the_means_over_seeds_on_sets_that_have_both():
    scores = ("certified_balanced_accuracy", "chosen_balanced_accuracy")
    found = pd.DataFrame(
        [
            one("ucr-A", "infonce", **dict(zip(scores, (0.8, 0.9), strict=True))),
            one("ucr-A", "infonce", **dict(zip(scores, (0.6, 0.7), strict=True))),
            one("ucr-A", "emargin", **dict(zip(scores, (0.4, 0.7), strict=True))),
            one("ucr-A", "emargin", "original", **dict(zip(scores, (0.0, 0.0), strict=True))),
            one("ucr-B", "infonce", **dict(zip(scores, (0.8, 0.9), strict=True))),
        ]
    )
    (line,) = archive.penalty_table(found).to_dict("records")
    assert line == {
        "Set": "A",
        "InfoNCE, C = 1": "0.700",
        "InfoNCE, C chosen": "0.800",
        "eMargin, C = 1": "0.400",
        "eMargin, C chosen": "0.700",
        "behind, C = 1": "0.300",
        "behind, C chosen": "0.100",
    }


def test_places_are_counted_from_the_best_among_the_methods_of_a_fidelity():
    values, found = series_of("silhouette"), archive.read(Store(home() / "results" / "ucr"))[0]
    for fidelity, labels in (("released", "released"), ("original", "paper")):
        own = values[(values.fidelity == fidelity) | values.method.isin(["random", "random-calibrated"])]
        own = own[own.reading.isin(["", "anchor"]) & own.labels.isin(["", labels])]
        means = own.groupby(["dataset", "method"]).value.mean().unstack()
        expected = (means.gt(means.emargin, axis=0).sum(axis=1) + 1).rename(lambda name: name.removeprefix("ucr-"))
        found_places = archive.places(found, fidelity)
        assert found_places["silhouette"].to_dict() == expected.to_dict() and len(expected) == 6
        assert list(found_places.columns) == [archive.SCORES[metric] for metric in archive.PLACED]


def test_a_correlation_is_printed_once_with_its_reading():
    found, inform = archive.read(Store(home() / "results" / "ucr"))
    lines = archive.correlations(found, inform)
    assert not lines.duplicated(["Metric", "With", "Fidelity"]).any()
    assert len(lines) == len(archive.CORRELATED) * len(archive.PROBES) * 2
    of_silhouette = archive.pooled(found, inform, "silhouette", "knn_balanced_accuracy", "original")["silhouette"]
    line = lines.set_index(["Metric", "With", "Fidelity"]).loc["silhouette", "k nearest neighbours", "original"]
    assert line["ρ and its 95 % interval"].startswith(f"{of_silhouette['value']:+.2f}".replace("-", "−"))
    assert line.Reading == of_silhouette["verdict"]


def test_without_emargin_no_configuration_of_it_counts():
    found, _ = archive.read(Store(home() / "results" / "ucr"))
    changed = found.assign(silhouette=found.silhouette.where(found.method != "emargin", 9.0))
    assert archive.without_emargin(found).equals(archive.without_emargin(changed))
    assert not archive.without_emargin(found)["ρ and its 95 % interval"].duplicated().any()
