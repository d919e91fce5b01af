"""Claims under test: places, leads, counts, verdicts, the file and the text, the figure."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from companion.figures import conclusions as plots
from companion.grid.store import Store
from companion.statistics import conclusions
from companion.statistics.conclusions import (
    Count,
    by_fold,
    emargin_places,
    lead,
    means,
    one_line,
    places_of,
    standing,
)
from companion.statistics.configurations import configurations
from companion.statistics.crossed import in_words
from companion.statistics.tables import paper_configurations
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.paths import home
from emargin.resolve import resolve
from emargin.rows import tidy
from tests.companion.statistics.cells import Cells
from tests.companion.statistics.test_tables import PAPER, Written, cell


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)


@pytest.mark.parametrize(
    ("holds", "of", "verdict"),
    [
        (3, 4, "stands"),
        (1, 4, "does not stand"),
        (2, 4, "in part"),
        (5, 8, "in part"),
        (0, 9, "does not stand"),
        (3, 3, "open"),
        (0, 0, "open"),
    ],
)
def test_a_verdict_needs_three_quarters_of_four(holds, of, verdict):
    assert Count(holds, of).verdict == verdict


def test_a_count_says_what_it_counted():
    assert str(Count(3, 4)) == "stands (3 of 4)" and str(Count(0, 0)) == "not run"
    assert conclusions.count(pd.Series([True, False, True])) == Count(2, 3)
    assert conclusions.count(pd.Series([], dtype=bool)) == Count(0, 0)


def test_places_are_counted_for_the_paper_once_and_for_every_split(written):
    methods = ("tnc", "cost", "infots", "ts2vec", "emargin")
    first = [cell(method) for method in methods]
    second = [cell(method, dataset="ecg-released", source="simulated", sequence_length=50) for method in methods]
    for cells, values in ((first, (0.1, 0.2, 0.3, 0.4, 0.5)), (second, (0.6, 0.2, 0.3, 0.4, 0.5))):
        for one, value in zip(cells, values, strict=True):
            written.add(one, value)
    found = emargin_places(written.store(), [first, second], PAPER)
    assert set(found.data) == {"ecg", "ecg-sim, fold 1", "ecg-released, fold 1"}
    assert (found.column == "paper").sum() == 6  # two metrics of Table 1, four of Table 2: one line each
    place = found.set_index(["data", "column", "metric"]).place
    assert place["ecg-sim, fold 1", "released", "silhouette"] == 1
    assert place["ecg-sim, fold 1", "released", "davies_bouldin"] == 5
    assert place["ecg-released, fold 1", "released", "accuracy"] == 2
    assert set(found.of[found.column == "released"]) == {5}
    assert emargin_places(written.store(), [first[1:]], PAPER).empty  # a place among four


def test_lines_are_compared_where_both_have_values(written):
    splits = [
        [cell("infonce"), cell("infonce", 2), cell("emargin"), cell("random")],
        [cell("infonce", fold=2), cell("emargin", fold=2)],
    ]
    for one, value in zip([*splits[0], splits[1][0]], (0.2, 0.4, 0.25, 0.5, 0.9), strict=True):
        written.add(one, value)
    table = means(written.store(), splits, "silhouette")
    assert table.loc[("ecg-sim, fold 1", "released"), "InfoNCE"] == pytest.approx(0.3)
    assert table.loc[("ecg-sim, fold 1", "original"), "Random Init"] == 0.5
    assert np.isnan(table.loc[("ecg-sim, fold 2", "released"), conclusions.EMARGIN])


def test_eMargin_is_set_against_the_defaults_of_one_fidelity_and_the_untrained(written):
    values = {
        cell("random"): 0.1,
        cell("infonce"): 0.2,
        cell("infonce", fidelity="original"): 0.9,
        cell("emargin"): 0.15,
        cell("emargin", labels="paper"): 0.95,
        cell("emargin", fidelity="original"): 0.3,
        cell("emargin", fidelity="original", reading="pair"): 0.99,
        cell("random", fold=2): 0.3,
        cell("emargin", fold=2): 0.5,
    }
    for one, value in values.items():
        written.add(one, value)
    found = configurations(written.store().rows)
    better = standing(found, "silhouette", "released").set_index("method").value
    assert better.to_dict() == pytest.approx({"random": (0.15 + 0.5) / 2 - 0.2, "infonce": (0.15 + 0.5) / 2 - 0.2})
    worse = standing(found, "davies_bouldin", "released").set_index("method").value
    assert worse.to_dict() == pytest.approx((-better).to_dict())
    (place,) = places_of(standing(found, "silhouette", "original")).itertuples(index=False)
    assert tuple(place) == ("ecg-sim", 2, 3)  # InfoNCE before it, the random encoder behind
    assert standing(found[found.method != "emargin"], "silhouette", "released").empty


def test_the_lead_is_over_methods_that_all_sets_have():
    sets = [f"s{number}" for number in range(6)]
    better = pd.DataFrame(
        [(name, method, 0.2) for name in sets for method in ("a", "b")], columns=["set", "method", "value"]
    )
    better = pd.concat([better, pd.DataFrame([("s0", "c", 9.0)], columns=better.columns)])
    found = lead(better)
    assert (found["value"], found["methods"], found["drawn"]) == (pytest.approx(0.2), 2, "methods and sets")
    few = lead(better[better["set"] < "s5"])
    assert np.isnan(few["low"]) and few["drawn"] == ""
    none = lead(better[:0])
    assert np.isnan(none["value"]) and np.isnan(none["low"]) and none["drawn"] == ""


def test_folds_and_seeds_that_both_lines_have_are_compared():
    values = {("one", 1, 1): 0.5, ("one", 1, 2): 0.7, ("one", 2, 1): 0.6, ("one", 3, 1): 0.8, ("one", 4, 1): 0.9}
    values |= {("two", 1, 1): 0.4, ("two", 1, 2): 0.6, ("two", 2, 1): 0.6, ("two", 3, 1): 0.6}
    rows = pd.DataFrame(
        [(*key, "accuracy", value) for key, value in values.items()],
        columns=["line", "fold", "seed", "metric", "value"],
    )
    found = by_fold(rows, "one", "two", "accuracy")
    low, high = ttest_1samp([0.1, 0.0, 0.2], 0).confidence_interval(0.95)
    assert (found["value"], found["low"], found["high"]) == pytest.approx((0.1, low, high)) and found["folds"] == 3
    assert np.isnan(by_fold(rows[rows.fold < 3], "one", "two", "accuracy")["low"])
    assert by_fold(rows, "one", "three", "accuracy") is None


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    return conclusions.read_claims()


def test_the_file_of_claims_is_what_the_rows_say(kept, tmp_path):
    """`python -m companion.statistics.conclusions` writes it anew."""
    conclusions.claims().to_csv(tmp_path / "claims.csv", index=False, float_format="%.4f")
    pd.testing.assert_frame_equal(conclusions.read_claims(tmp_path / "claims.csv"), kept, atol=2e-4)


def test_claims_of_other_rows_rest_on_these_alone(kept):
    own = conclusions.claims(own=Store(home() / "results" / "ucr"))
    assert "8" not in set(own.claim) and not own["where"].str.contains("everyone").any()
    theirs, ours = (lines[lines["where"] == conclusions.ARCHIVE] for lines in (own, kept))
    ours = ours[ours.against != "InfoNCE, released"]  # the penalty's
    pd.testing.assert_frame_equal(theirs.reset_index(drop=True), ours.reset_index(drop=True), atol=2e-4)


def test_a_set_counts_once_everyone_is_tested(monkeypatch):
    store = Store(home() / "results" / "core")
    rows, whole = store.rows, {line["where"] for line in conclusions._on_core(store)}
    assert "spsw-har, everyone tested" in whole
    lacking = rows[(rows.dataset != "spsw-har") | (rows.fold != 2)]
    monkeypatch.setattr(Store, "rows", property(lambda self: lacking))
    assert {line["where"] for line in conclusions._on_core(store)} == whole - {"spsw-har, everyone tested"}


def test_both_encoders_are_read_by_the_same_rules(tmp_path):
    cells = Cells(6)
    values = {"random-calibrated": 0.5, "random": 0.4, "infonce": 0.6, "tnc": 0.7, "emargin": 0.9}
    for encoder in (None, "context"):
        for method, value in values.items():
            if encoder and method == "random-calibrated":
                continue
            for seed in (1, 2, 3):
                cell = resolve(Experiment(dataset="harth-sim", method=method, seed=seed, encoder=encoder))
                rank = -value if encoder else value  # on context eMargin is last
                for metric in ("davies_bouldin", "silhouette", "participation_ratio", "nmi", "balanced_accuracy"):
                    cells.rows.append(tidy(cell, metric, 1 + rank, 10))
    groups = conclusions.on_both(cells.store(tmp_path))
    assert list(groups) == ["recordings, frame encoder", "recordings, context encoder"]
    for (found, inform), encoder in zip(groups.values(), ("", "context"), strict=True):
        assert set(found.encoder) == {encoder} == set(inform.encoder)
    theirs = paper_configurations(PAPER)
    lines = pd.DataFrame(conclusions._best_scores(theirs, groups))
    silhouette = lines[lines.by == "silhouette"].set_index(["where", "of"]).holds
    assert silhouette["recordings, frame encoder", "released"] == 1
    assert silhouette["recordings, context encoder", "released"] == 0


def test_the_table_of_both_encoders_has_a_column_each_and_one_probe():
    line = {"of": "original", "against": "all methods", "value": 0.1, "low": np.nan, "high": np.nan, "drawn": ""}
    chosen = conclusions.PROBES["chosen_"]
    lines = pd.DataFrame(
        [
            line | {"claim": claim, "by": by, "where": where, "holds": holds, "sets": sets, "verdict": "stands"}
            for claim, by, where, holds, sets in [
                ("1", "silhouette", "recordings", 4, 4),
                ("1", "silhouette", "recordings, frame encoder", 3, 4),
                ("1", "silhouette", "recordings, context encoder", 2, 4),
                ("2", chosen, "recordings, frame encoder", 1, 4),
                ("2", conclusions.PROBES[""], "recordings, context encoder", 1, 4),
                ("6", "NMI with the classes", "recordings, context encoder", 0, 0),
            ]
        ]
    )
    table = conclusions.claims_on_both(lines)
    assert table.frame.tolist() == ["stands (3 of 4)", "stands (1 of 4)"]
    assert table.context.tolist() == ["stands (2 of 4)", "–"]


def test_verdicts_follow_from_the_numbers(kept):
    for one in kept.itertuples():
        if one.claim in ("2", "8") and pd.notna(one.low) and one.verdict in ("higher", "lower"):
            assert (one.low > 0) == (one.verdict == "higher") and (one.high < 0) == (one.verdict == "lower")
        if one.claim == "3" and one.verdict == "not decided":
            assert one.low < 0 < one.high
    counted = kept[kept.claim.isin(["1", "4", "6"])]
    assert [conclusions.Count(one.holds, one.sets).verdict for one in counted.itertuples()] == counted.verdict.tolist()
    over = kept[kept.drawn.str.contains("sets")]
    assert (over.sets >= 6).all() and not kept.low[kept.drawn == ""].notna().any()


def test_text_names_no_number_that_the_claims_do_not_have(kept):
    """Intervals in the prose of the page of conclusions, "−0.15 (−0.22 to −0.09)", are those of a line."""
    page = json.loads((home() / "notebooks" / "conclusions.ipynb").read_text(encoding="utf-8"))
    prose = "".join("".join(one["source"]) for one in page["cells"] if one["cell_type"] == "markdown")
    printed = re.findall(r"([+−]\d\.\d+) \(([+−]\d\.\d+) to ([+−]\d\.\d+)\)", prose)
    lines = {in_words(one.value, one.low, one.high, 2) for one in kept.itertuples()}
    assert printed and [one for one in printed if "{} [{}, {}]".format(*one) not in lines] == []


def test_every_place_has_its_mark_on_its_line():
    found = pd.DataFrame(
        [
            ("silhouette", "paper", 1, 9),
            ("silhouette", "released", 5, 9),
            ("accuracy", "released", 3, 3),
            ("nmi", "released", 1, 3),
        ],
        columns=["metric", "column", "place", "of"],
    )
    fig = plots.places(found, {"silhouette": "Silhouette", "accuracy": "Accuracy"}, "real data")
    (axis,) = fig.axes
    marks = {
        line.get_label(): sorted(zip(line.get_xdata().round(2), np.round(line.get_ydata()), strict=True))
        for line in axis.lines
        if line.get_label() and not line.get_label().startswith("_")
    }
    assert marks["the paper, its sets"] == [(0, 0)]
    assert marks["here, released"] == [(0.5, 0), (1, 1)] and marks["here, original"] == []
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Silhouette", "Accuracy"]


def test_numbers_stand_with_their_interval_and_verdict_a_column_a_comparison():
    names = ["by", "against", "value", "low", "high", "verdict"]
    rows = [("b", "x", 0.1, 0.05, 0.15, "higher"), ("a", "x", -0.1, np.nan, np.nan, "open"), ("b", "y", 0, 0, 0, "no")]
    found = conclusions.said(pd.DataFrame(rows, columns=names), "against")
    assert list(found.index) == ["b", "a"] and list(found.columns) == ["x", "y"]
    assert found["x"].tolist() == ["+0.100 [+0.050, +0.150], higher", "−0.100, open"]
    assert found.loc["b", "y"] == "+0.000 [+0.000, +0.000], no" and pd.isna(found.loc["a", "y"])


def test_lines_are_computed_where_they_are_not_of_the_committed_rows(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(conclusions, "claims", lambda **names: asked.append(names))
    assert conclusions.lines_for("original").equals(conclusions.read_claims()) and capsys.readouterr().out == ""
    for protocol, own in (("released", None), ("original", "rows")):
        conclusions.lines_for(protocol, own)
        assert asked.pop() == {"protocol": protocol, "own": own}
        assert capsys.readouterr().out.startswith("the claims of these rows;")


def test_one_line_is_found_by_its_names_or_named_as_missing(kept):
    found = one_line("released", "silhouette", where=conclusions.ARCHIVE, claim="1", lines=kept)
    assert (found.holds, found.sets, found.drawn) == (6, 6, "methods and sets")
    with pytest.raises(InputError, match="0 lines"):
        one_line("released", "a score", claim="1", lines=kept)


def test_differences_have_a_mark_a_probe_and_fidelity_at_its_value(kept):
    own = conclusions.everyone(kept)
    fig = plots.differences(own, {own["set"].iloc[0]: "a set"}, "real data")
    assert len(fig.axes) == 2 * own["set"].nunique()
    assert (fig.axes[0].get_title(loc="left"), fig.axes[0].get_ylabel()) == ("eMargin − InfoNCE", "a set")
    marks = {line.get_label(): list(line.get_xdata()) for line in fig.axes[0].lines}
    first = own[(own["set"] == own["set"].iloc[0]) & own.against.str.startswith("InfoNCE")]
    for fidelity in ("released", "original"):
        assert marks[fidelity] == first.value[first.of == fidelity].tolist() and len(marks[fidelity]) >= 6
