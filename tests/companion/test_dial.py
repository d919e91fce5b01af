"""Rows of the dial become a table, and where a probe has lost half is read off it."""

import math

import pandas as pd
import pytest

from companion.dial import by_side, change, half_way, outcomes, reached, table_of, where_read


def row(metric, value, *, method="infonce", seed=1, digest="a"):
    fields = {"reading": "", "labels": "", "fidelity": "released", "fold": 1, "dataset": "spsw-har"}
    return {"metric": metric, "value": value, "method": method, "seed": seed, "digest": digest, **fields}


def curve(values, *, chance=0.2, score="probe", **fields):
    """A table of a score at c = 1, 1/2, 1/4 and so on, with the level of chance."""
    rows = [
        row(f"dial_beside_{f'1/{2**power}' if power else 1}_{score}", v, **fields) for power, v in enumerate(values)
    ]
    return table_of(pd.DataFrame(rows)).assign(chance=chance)


def test_a_row_of_a_setting_says_what_was_turned_how_far_and_the_score():
    table = table_of(
        pd.DataFrame(
            [
                row("dial_beside_1/16_davies_bouldin", 0.5),
                row("dial_beside_64_probe", 0.6),
                row("dial_along_4_participation_ratio", 1.5, seed=2, digest="b"),
                row("dial_coordinate_silhouette", 0.7),
            ]
        )
    )
    columns = ["dataset", "line", "encoder", "seed", "fold", "digest", "turned", "factor", "score", "value"]
    assert list(table.columns) == columns
    assert table[["turned", "factor", "score", "value"]].values.tolist() == [
        ["beside", 1 / 16, "davies_bouldin", 0.5],
        ["beside", 64.0, "probe", 0.6],
        ["along", 4.0, "participation_ratio", 1.5],
        ["beside", 0.0, "silhouette", 0.7],
    ]
    assert table[["dataset", "line", "seed", "fold", "digest"]].values.tolist() == [
        ["spsw-har", "InfoNCE, released", seed, 1, digest] for seed, digest in ((1, "a"), (1, "a"), (2, "b"), (1, "a"))
    ]


def test_the_sets_that_can_be_read_are_those_on_which_the_untrained_encoder_is_above_chance():
    def of(dataset, *, encoder="", method="random-calibrated", **fields):
        one = row("dial_beside_1_probe", method=method, **fields) | {"dataset": dataset, "encoder": encoder}
        return [one, one | {"metric": "dial_beside_1/64_probe", "value": 0.2}]

    rows = of("read", value=0.35) + of("read", value=0.27, seed=2) + of("read", value=0.9, encoder="context")
    rows += (
        of("not-read", value=0.25) + of("not-read", value=0.9, method="infonce") + of("read", value=0.2, method="tnc")
    )
    found = where_read(table_of(pd.DataFrame(rows)).assign(chance=0.2))
    assert set(found.dataset) == {"read"} and set(found.encoder) == {""}
    assert sorted(set(found.line)) == ["Random, calibrated", "TNC, released"] and len(found) == 6


def test_each_side_of_a_set_that_is_tested_both_ways_is_a_set_of_its_own():
    rows = [row("dial_beside_1_probe", fold / 10, method="random-calibrated") | {"fold": fold} for fold in (1, 2, 3)]
    rows += [row("dial_beside_1_probe", 0.9) | {"fold": 1}]
    found = by_side(table_of(pd.DataFrame(rows)), "spsw-har", {"DS2": 1, "DS1": 2})
    assert dict(zip(found.dataset, found.value, strict=True)) == {"spsw-har, DS2": 0.1, "spsw-har, DS1": 0.2}


def test_rows_of_no_setting_and_of_other_metrics_are_left_out():
    table = table_of(pd.DataFrame([row("dial_reach", 30.0), row("silhouette", 0.1)]))
    assert table.empty and "score" in table.columns


def test_half_way_lies_between_two_settings_linearly_over_the_logarithm_of_c():
    crossing = half_way(curve([0.8, 0.8, 0.6, 0.2]))  # half of .6 above .2 is .5: a quarter of the way from .6 to .2
    assert crossing.half_way.tolist() == [pytest.approx(2**-2.25)]
    assert half_way(curve([0.8, 0.2])).half_way.tolist() == [pytest.approx(2**-0.5)]


def test_half_way_is_the_first_crossing_and_depends_on_chance():
    assert half_way(curve([0.8, 0.4, 0.8, 0.2])).half_way.tolist() == [pytest.approx(2**-0.75)]
    assert half_way(curve([0.8, 0.4, 0.4], chance=0.0)).half_way.isna().all()  # .4 is half, not less


def test_a_probe_that_is_not_above_chance_or_does_not_fall_has_no_half_way():
    assert math.isnan(half_way(curve([0.2, 0.1, 0.05])).half_way.item())
    assert math.isnan(half_way(curve([0.8, 0.8, 0.7])).half_way.item())


def test_half_way_is_of_each_cell_and_of_shrinking_alone():
    raised = table_of(pd.DataFrame([row("dial_beside_4_probe", 0.0), row("dial_along_4_probe", 0.0)]))
    limit = table_of(pd.DataFrame([row("dial_coordinate_probe", 0.0)]))
    parts = [curve([0.8, 0.2]), curve([0.8, 0.8], seed=2, digest="b"), raised.assign(chance=0.2)]
    crossings = half_way(pd.concat([*parts, limit.assign(chance=0.2)]).sample(frac=1, random_state=0))
    crossings = crossings.sort_values("seed")
    assert list(crossings.columns) == ["dataset", "line", "seed", "fold", "digest", "half_way"]
    assert crossings.digest.tolist() == ["a", "b"]
    assert crossings.half_way.tolist() == [pytest.approx(2**-0.5), pytest.approx(float("nan"), nan_ok=True)]


def test_half_way_is_of_the_score_that_is_asked_for():
    table = pd.concat([curve([0.8, 0.2]), curve([0.8, 0.6, 0.2], score="whitened")])
    assert half_way(table, "whitened").half_way.tolist() == [pytest.approx(2**-1.25)]


def settings(method, values, seed=1):
    """Rows of one cell: scores at c = 1, at 1/64, at 16, and with the leading direction at 16."""
    at = ("beside_1", "beside_1/64", "beside_16", "along_16")
    return [
        row(f"dial_{setting}_{score}", value, method=method, seed=seed, digest=f"{method}{seed}")
        for score, of_settings in values.items()
        for setting, value in zip(at, of_settings, strict=True)
    ]


SCORES = {
    "nmi": (0.5, 0.2, 0, 0),
    "certified": (0.6, 0.65, 0, 0),
    "probe": (0.6, 0.2, 0.7, 0.5),
    "whitened": (0.6,) * 4,
}


def test_a_change_is_the_mean_over_seeds_of_the_setting_less_as_it_is():
    rows = settings("random-calibrated", {"nmi": (0.5, 0.2, 0, 0)})
    rows += settings("random-calibrated", {"nmi": (0.4, 0.3, 0, 0)}, seed=2)
    assert change(table_of(pd.DataFrame(rows)), "nmi").to_dict() == {
        ("Random, calibrated", "spsw-har"): pytest.approx(-0.2)
    }


def test_outcomes_are_of_the_untrained_encoder_and_the_last_of_emargin():
    rows = settings("random-calibrated", SCORES) + settings("emargin", SCORES | {"probe": (0.3, 0.2, 0.45, 0.3)})
    found = outcomes(table_of(pd.DataFrame(rows)))["spsw-har"]
    assert found.index[-1] == "paper’s probe, eMargin raised × 16"
    assert found.tolist() == pytest.approx([0.05, -0.3, -0.1, 0, 0.15])
    without = outcomes(table_of(pd.DataFrame(settings("random-calibrated", SCORES))))["spsw-har"]
    assert without.notna().tolist() == [True] * 4 + [False]


def test_the_bound_stands_beside_what_was_measured_and_emargin_is_left_out():
    table = pd.concat(
        [
            curve([0.8, 0.8, 0.6, 0.2], digest="a"),  # half is lost at 2 ** -2.25
            curve([0.8, 0.8, 0.8, 0.8, 0.6, 0.2], digest="a", score="longer"),
            curve([0.8, 0.2], digest="b"),  # no bound
            curve([0.8, 0.2], digest="c", method="emargin"),
        ]
    )
    rows = pd.DataFrame([row("dial_reach", 32.0), row("dial_reach", 32.0, digest="c")])
    (found,) = reached(table, rows).itertuples()
    assert (found.digest, found.predicted, found.later) == ("a", 1 / 32, pytest.approx(4))
    assert found.times == pytest.approx(32 * 2**-2.25)
