"""The page of maps: what is drawn for each planned cell, in which place, and what an empty panel says."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from companion.fetch.convert import DSADS
from companion.figures import maps as plots
from companion.figures.fit import fit
from companion.grid.integrity import stamp
from companion.grid.plan import read_grid
from companion.grid.store import Store
from companion.statistics.map_shape import local_dimension
from emargin import rows as results
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.paths import home
from emargin.resolve import resolve

VALUES = {"participation_ratio": 1.25, "mean_cosine": 0.5, "silhouette": 0.75, "davies_bouldin": 0.4, "nmi": 0.1}
NOTE = "AFIB 12, AFL 7, NOD 3, N 12"


def cell(method="emargin", fidelity="released", **keywords):
    return resolve(Experiment(dataset="mitbih", source="real", method=method, fidelity=fidelity, **keywords))


def points(n=34):
    return np.random.default_rng(0).standard_normal((n, 2)).astype(np.float16)


@pytest.fixture
def store(tmp_path):
    """One cell done, with a map, one failed; a third has rows of another seed only."""
    done, failed, other = cell(), cell("cpc"), cell("infonce", seed=2)
    rows = [
        results.tidy(member, metric, value, 34, NOTE) for member in (done, other) for metric, value in VALUES.items()
    ]
    rows.append(results.tidy(failed, "failed", float("nan"), None, "the gradient is not finite"))
    results.write_text(tmp_path / "rows.csv", results.rows_to_csv(results.table(rows)))
    results.write_arrays(
        tmp_path / "arrays.npz",
        {
            f"{done.digest}/map": points(),
            f"{done.digest}/map_labels": np.repeat([0, 1, 2, 3], [12, 7, 3, 12]).astype(np.int8),
        },
    )
    results.write_text(tmp_path / "provenance.json", json.dumps({row["digest"]: {} for row in rows}))
    stamp(tmp_path)
    return Store(tmp_path)


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


def test_every_cell_has_a_map_or_a_reason(store):
    drawn, failed, missing = plots.maps_of(store, [cell(), cell("cpc"), cell("infonce")])
    assert (drawn.why_not, failed.why_not, missing.why_not) == ("", "failed: the gradient is not finite", "not run")
    assert (drawn.points == points()).all() and np.bincount(drawn.labels).tolist() == [12, 7, 3, 12]
    assert drawn.scores == VALUES | {"local_dimension": local_dimension(points())}
    assert len(failed.points) == len(missing.points) == 0 and failed.scores == missing.scores == {}


def test_a_folder_without_rows_is_named(tmp_path):
    with pytest.raises(InputError, match="no rows in"):
        plots.maps_of(Store(tmp_path), [cell(), cell("cpc")])


@pytest.mark.parametrize("dataset", ["mitbih", "dsads", "sleepedf-features", "spsw-har"])
def test_rows_hold_every_planned_cell_once(dataset):
    planned = [
        member
        for member in read_grid(home() / "workflow" / "grid.json")
        if (member.dataset, member.protocol, member.seed, member.fold) == (dataset, "original", 1, 1)
    ]
    rows = plots.pairs([plots.Map(member) for member in planned])
    placed = [drawn.cell for row in rows for drawn in row if drawn]
    assert len(placed) == len(planned) and set(placed) == set(planned)
    names = [tuple(drawn and drawn.title for drawn in row) for row in rows]
    assert names[:2] == [("Random Init", "Random, calibrated"), ("InfoNCE, released", "InfoNCE, original")]
    assert names[2] == ("CPC, released", "CPC, original")
    assert names[-3:] == [
        ("eMargin, released", "eMargin, original, anchor"),
        ("eMargin, released, the paper's labels", "eMargin, original, pair"),
        (None, "eMargin, original, all-pairs"),
    ]
    assert all(row[0].cell.fidelity == "released" and row[1].cell.fidelity == "original" for row in rows[1:-1])


def test_names_of_classes_may_hold_commas_and_numbers(store):
    assert plots.class_names(store, "mitbih", "original") == ("AFIB", "AFL", "NOD", "N")
    assert plots.class_names(store, "dsads", "original") == plots.class_names(store, "mitbih", "released") == ()
    store.rows["note"] = "cycling (sit, inactive) 100, walking 15 deg inclined 20"
    assert plots.class_names(store, "mitbih", "original") == ("cycling (sit, inactive)", "walking 15 deg inclined")


@pytest.mark.parametrize("classes", [list("abcd"), [str(number) for number in range(19)], DSADS["classes"]])
def test_no_two_classes_look_alike(classes):
    looks = plots.looks(classes)
    assert set(looks) == set(classes) and len(set(looks.values())) == len(classes)


def test_activities_of_a_kind_share_a_colour():
    looks = plots.looks(DSADS["classes"])
    assert looks["rowing"][0] == looks["cycling vertical"][0] != looks["jumping"][0]
    assert len({colour for colour, _ in looks.values()}) == 5


def test_panels_show_points_scores_and_reasons(store):
    drawn, failed, missing = plots.maps_of(store, [cell(), cell("cpc"), cell("infonce")])
    fig = plots.map_grid([(drawn, failed), (None, missing)], ("AFIB", "AFL", "NOD", "N"), "made up")
    (first, second), (third, fourth) = np.reshape(fig.axes, (2, 2))
    own = {line.get_color(): line.get_xydata() for line in first.lines}
    colours = [colour for colour, _ in plots.looks(("AFIB", "AFL", "NOD", "N")).values()]
    assert [len(own[colour]) for colour in colours] == [12, 7, 3, 12]
    assert (np.concatenate([own[colour] for colour in colours]) == points()).all()
    assert first.get_title(loc="left") == "eMargin, released"
    dimension = local_dimension(points())
    assert first.get_xlabel() == (
        f"effective rank 1.2, local dimension {dimension:.1f}\ncosine 0.50, silhouette 0.75, DBI 0.40"
    )
    assert [text.get_text().replace("\n", " ") for text in second.texts] == ["failed: the gradient is not finite"]
    assert [text.get_text() for text in fourth.texts] == ["not run"]
    assert fourth.get_title(loc="left") == "InfoNCE, released"
    assert not third.axison and second.axison
    assert [text.get_text() for text in fig.legends[0].texts] == ["AFIB", "AFL", "NOD", "N"]


def test_a_long_reason_stays_inside_its_panel():
    fig = plots.map_grid([(plots.Map(cell(), why_not="failed: " + "a word " * 200), None)], (), "made up")
    (text,) = fig.axes[0].texts
    fig.draw_without_rendering()
    inside, panel = text.get_window_extent(), fig.axes[0].get_window_extent()
    assert panel.x0 < inside.x0 and inside.x1 < panel.x1 and panel.y0 < inside.y0 and inside.y1 < panel.y1
    assert not fig.legends


def test_the_small_file_looks_like_the_figure(store):
    fig = plots.map_grid([(plots.maps_of(store, [cell()])[0], None)], ("AFIB", "AFL", "NOD", "N"), "made up")
    full = io.BytesIO()
    fit(fig)
    fig.savefig(full, dpi=plots.DPI)
    number, small = fig.number, plots.png(fig)
    before = np.asarray(Image.open(full).convert("RGB")).astype(int)
    after = np.asarray(Image.open(io.BytesIO(small)).convert("RGB")).astype(int)
    assert before.shape == after.shape and np.abs(before - after).max() < 60 and np.abs(before - after).mean() < 0.5
    assert len(small) < 0.6 * len(full.getvalue()) and not plt.fignum_exists(number)


def shaped(dimension, method="emargin", rank=2.0):
    return plots.Map(cell(method), scores=VALUES | {"participation_ratio": rank, "local_dimension": dimension})


@pytest.mark.parametrize(
    ("dimension", "shape"),
    [(0, "piles"), (0.1, "curve"), (1.5, "curve"), (1.51, "band"), (1.75, "band"), (1.76, "area")],
)
def test_shapes_by_local_dimension(dimension, shape):
    assert plots.shapes([shaped(dimension)])["shape"].tolist() == [shape]


def test_shapes_leave_out_what_is_not_there():
    table = plots.shapes(
        [
            shaped(1.2),
            plots.Map(cell("cpc"), why_not="not run"),
            shaped(1.9, "random"),
            shaped(1.9, "infonce"),
            shaped(1.8, "tnc"),
        ]
    )
    assert table.method.tolist() == ["eMargin, released", "Random Init", "InfoNCE, released", "TNC, released"]
    assert table.kind.tolist() == ["eMargin", "control", "InfoNCE", "other method"]
    assert table.nmi.tolist() == [0.1] * 4 and len(plots.shapes([])) == 0


@pytest.mark.parametrize("rank", [2.0, 45.0])
def test_every_map_is_a_point_inside_the_figure(rank):
    maps = [shaped(1.2), shaped(1.9, "random", rank), shaped(0)]
    (axis,) = plots.shape_against_rank(plots.shapes(maps), "made up").axes
    drawn = np.concatenate([line.get_xydata() for line in axis.lines])
    assert sorted(map(tuple, drawn)) == sorted([(2.0, 1.2), (rank, 1.9), (2.0, 0.0)])
    assert (drawn > [axis.get_xlim()[0], axis.get_ylim()[0]]).all()
    assert (drawn < [axis.get_xlim()[1], axis.get_ylim()[1]]).all()
    frames = {text.get_text(): patch.get_bbox() for text, patch in zip(axis.texts, axis.patches, strict=True)}
    assert (frames["thin map, no line"].x0, frames["thin map, no line"].y1) == (plots.NO_LINE, plots.AREA)
    assert (frames["line,\nno curve"].x1, frames["line,\nno curve"].y0) == (plots.LINE, plots.AREA)


def test_no_maps_make_an_empty_figure():
    (axis,) = plots.shape_against_rank(plots.shapes([]), "made up").axes
    assert len(axis.lines) == 0


def test_drawn_out_counts_maps_that_are_no_area_and_leaves_variants_and_controls_out():
    table = pd.DataFrame(
        [
            ("InfoNCE + eMargin, released", "eMargin", "curve"),
            ("InfoNCE + eMargin, released, the paper's labels", "eMargin", "area"),
            ("InfoNCE + eMargin, original, pair", "eMargin", "band"),
            ("InfoNCE + eMargin, original, anchor", "eMargin", "area"),
            ("TNC, released", "another", "piles"),
            ("CPC, released", "another", "area"),
            ("Random, calibrated", "control", "curve"),
        ],
        columns=["method", "kind", "shape"],
    )
    counted = plots.drawn_out(table)
    assert counted.loc["released"].tolist() == [1, 1, 1, 2] and counted.loc["original"].tolist() == [0, 1, 0, 0]
