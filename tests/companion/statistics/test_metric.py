"""Other clusterings, spectra and likenesses of kept embeddings."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from companion.figures import metric as figures
from companion.statistics.metric import EMARGIN, INFONCE, WAYS, advantages, alike, leakage, read, spectra
from emargin.errors import InputError

KEYS = ["dataset", "protocol", "fold", "line", "seed", "measure", "features", "k", "score", "value"]


def frame(lines) -> pd.DataFrame:
    table = pd.DataFrame(lines, columns=KEYS)
    return table.assign(digest=table.line + table.fold.astype(str) + table.seed.astype(str) + table.dataset)


def clustered(line: str, fold: int, seed: int, value: float, dataset: str = "set"):
    """The silhouette is `value` in each way of clustering, and one less on whitened features."""
    for measure, features, share in WAYS:
        k = 7 if share is None else int(4 * share)
        yield (
            dataset,
            "original",
            fold,
            line,
            seed,
            measure,
            features,
            k,
            "silhouette",
            value - (features == "whitened"),
        )
        yield dataset, "original", fold, line, seed, "classes", features, 4, "silhouette", 9.0


def test_the_difference_of_two_lines_is_over_folds():
    differences = {1: 0.1, 2: 0.2, 3: 0.6}
    lines = [one for fold, gap in differences.items() for one in clustered(EMARGIN, fold, 1, 0.5 + gap)]
    lines += [one for fold in (1, 2, 3, 4) for one in clustered(INFONCE, fold, 1, 0.5)]  # fold 4 has no partner
    lines += [one for fold in (1, 2) for line in (EMARGIN, INFONCE) for one in clustered(line, fold, 1, 0.3, "other")]
    table = advantages(frame(lines), "silhouette")
    assert list(table.dataset.unique()) == ["other", "set"] and list(table[table.dataset == "set"].way) == list(
        WAYS.values()
    )
    first = table[table.dataset == "set"].set_index("way").loc["K-means, as in the paper"]
    values = np.array(list(differences.values()))
    half = student.ppf(0.975, 2) * values.std(ddof=1) / 3**0.5
    assert first[["first", "second", "value", "low", "high", "folds"]].tolist() == pytest.approx(
        [0.8, 0.5, 0.3, 0.3 - half, 0.3 + half, 3]
    )
    whitened = table[(table.way == "whitened") & (table.dataset == "set")]
    assert whitened["first"].item() == pytest.approx(-0.2) and table[table.dataset == "other"].low.isna().all()
    figure = figures.ways({"silhouette": table}, {"set": "A set", "other": "Another"}, "made")
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()] == list(WAYS.values())[::-1]


def test_a_spectrum_orders_lines_as_the_probe_does():
    lines, probe = [], {}
    for fold in (1, 2, 3):
        for number, line in enumerate("abcde"):
            values = {"participation_ratio": number, "rankme": -number, "alpha_req": 1 + (number - 2) * 0.1}
            for score, value in values.items():
                lines.append(("set", "original", fold, line, 1, "spectrum", "raw", "", score, value))
            probe[f"{line}{fold}1set"] = float(number)
    table = spectra(frame(lines), pd.Series(probe)).set_index("spectrum")
    assert table.value["participation_ratio"] == pytest.approx(1) and table.value["rankme"] == pytest.approx(-1)
    assert abs(table.value["alpha_req"]) < 0.2  # best in the middle, where the probe is not
    assert (table.folds == 3).all() and (table.lines == 5).all()
    few = frame(lines)[lambda each: each.line.isin(["a", "b", "c", "d"])]
    assert spectra(few, pd.Series(probe)).empty


def test_likeness_of_two_lines_and_of_two_seeds_of_one():
    pairs = pd.DataFrame(
        [("a", 1, "b", 1, 0.2), ("a", 2, "b", 2, 0.4), ("a", 1, "b", 2, 9), ("a", 1, "a", 2, 0.7), ("c", 1, "a", 1, 5)],
        columns=["line", "seed", "other_line", "other_seed", "value"],
    )
    table = alike(pairs, ["a", "b"])
    assert table.loc["a", "b"] == table.loc["b", "a"] == pytest.approx(0.3)
    assert table.loc["a", "a"] == 0.7 and np.isnan(table.loc["b", "b"]) and table.shape == (2, 2)


def test_people_are_averaged_by_line_and_protocol():
    lines = [
        ("set", protocol, fold, "a", 1, "people", "standardised", "", score, value + fold / 10)
        for protocol, value in (("original", 0.2), ("released", 0.6))
        for fold in (1, 2)
        for score in ("balanced_accuracy", "chance", "leakage")
    ]
    table = leakage(frame(lines)).set_index("protocol")
    assert table.leakage.tolist() == pytest.approx([0.35, 0.75]) and table.cells.tolist() == [2, 2]


def test_a_folder_without_measures_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no measures"):
        read(tmp_path)
