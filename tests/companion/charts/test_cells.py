"""The explorer of every cell: its table, its commands, and what happens when a reader operates it."""

import json

import altair as alt
import numpy as np
import pytest

from companion.charts import cells
from companion.charts.chart import VEGA_LITE, compact
from companion.grid.store import Store
from emargin.config import Experiment
from emargin.paths import home
from emargin.resolve import resolve
from tests.browser import browser, needs_a_browser, page

FOLDERS = [home() / "results" / name for name in ("repairs", "core", "noise")]


@pytest.fixture(scope="module")
def chart():
    return cells.chart(FOLDERS)


@pytest.fixture(scope="module")
def opened(chart, tmp_path_factory):
    address = page(tmp_path_factory.mktemp("page"), chart)
    with browser(tmp_path_factory.mktemp("profile")) as shown:
        shown.address = address
        yield shown


def test_altair_writes_for_the_version_that_draws():
    assert alt.SCHEMA_VERSION.startswith(f"v{VEGA_LITE}")


def test_every_cell_that_did_not_fail_is_there_once_with_its_values(chart):
    table = chart.tables["cells"].set_index("cell")
    assert table.index.is_unique
    for folder in FOLDERS:
        store = Store(folder)
        assert store.known - store.failed <= set(table.index)
        rows = store.rows[store.rows.metric == "silhouette"].set_index("digest").value
        own = [f"{one}-{folder.name}" if f"{one}-{folder.name}" in table.index else one for one in rows.index]
        assert np.array_equal(table.loc[own, "silhouette"], rows)
    assert (table["rows"] == "core").sum() > 0 and not [name for name in table if name.startswith("dial")]


def test_the_command_of_a_cell_asks_for_that_cell(chart):
    table = chart.tables["cells"].drop_duplicates("flags")
    assert len(table) > 30
    for row in table.itertuples():
        words = f"{row.flags} --seed {row.seed}".split()
        asked = {
            flag.removeprefix("--").replace("-", "_"): value
            for flag, value in zip(words[::2], words[1::2], strict=True)
        }
        assert resolve(Experiment.from_dict(asked)).digest == row.cell


def test_where_two_stores_have_a_cell_with_other_values_each_has_its_own_dot():
    """The grid's, which the tables of results show, goes by the bare digest; metrics of both are never one line."""
    grid, encoders = Store(home() / "results" / "grid"), Store(home() / "results" / "encoders")
    table = cells.cells([encoders.folder, grid.folder]).set_index("cell")
    of = {store: store.rows[store.rows.metric == "silhouette"].set_index("digest").value for store in (grid, encoders)}
    both = of[encoders].index.intersection(of[grid].index)
    other = both[~np.isclose(of[encoders][both], of[grid][both])]
    assert len(other) and np.array_equal(table.loc[both, "silhouette"], of[grid][both])
    assert np.array_equal(table.loc[other + "-encoders", "silhouette"], of[encoders][other])
    assert set(table.loc[other + "-encoders", "rows"]) == {"encoders"} == set(table.loc[other + "-encoders", "store"])
    assert table.loc[other, "chosen_balanced_accuracy"].isna().all()
    together = table[table["rows"] == "grid, encoders"]  # equal in both, so with the metrics of both
    assert len(together) and together[["silhouette", "chosen_balanced_accuracy"]].notna().all(axis=None)


def test_the_provenance_of_a_cell_is_that_of_its_record(chart):
    table = chart.tables["cells"].set_index("cell")
    digest, record = next(iter(Store(FOLDERS[2]).records.items()))
    shown, machine = table.loc[digest], record.get("processor", record["device"])
    assert (shown["commit"], shown["machine"], shown["data"]) == (record["commit"], machine, record["data"])
    assert f"numpy {record['versions']['numpy']}" in shown["versions"].split(", ")


def test_a_gain_is_the_probe_less_its_control(chart):
    table = chart.tables["cells"]
    control = table[(table["method"] == "Random, calibrated") & (table["set"] == "SP-SW-HAR")].iloc[0]
    same = (table["set"] == control["set"]) & (table.protocol == control.protocol) & (table.seed == control.seed)
    other = table[same & (table.material == control.material) & (table.encoder == control.encoder)].iloc[-1]
    assert other["method"] != control["method"]
    assert other.balanced_accuracy_gain == pytest.approx(other.balanced_accuracy - control.balanced_accuracy)
    assert np.isnan(control.balanced_accuracy_gain)


def test_a_gain_on_context_is_against_the_untrained_encoder_with_context():
    table = cells.cells([home() / "results" / "encoders"])
    table = table[(table["set"] == "SP-SW-HAR") & (table.seed == 1) & (table.encoder == "context")].set_index("method")
    control, trained = table.loc["Random Init"], table.loc["CPC"]
    assert trained.chosen_balanced_accuracy_gain == pytest.approx(
        trained.chosen_balanced_accuracy - control.chosen_balanced_accuracy
    )
    assert np.isnan(control.chosen_balanced_accuracy_gain)


def test_the_papers_values_stand_at_our_nearest_sets():
    paper = cells.paper().set_index(["set", "method"])
    assert paper.loc[("SP-SW-HAR", "TNC"), "silhouette"] == 0.40
    assert paper.loc[("SP-SW-HAR", "TNC"), "dataset"] == "HARTH"
    assert paper["accuracy"].max() < 1


def test_a_compact_table_keeps_numbers_words_and_gaps():
    import pandas as pd

    table = pd.DataFrame(
        {"word": ["a", "b", "a", "a"], "often": [1.0, 0.12345649, np.nan, 2.5], "rare": [np.nan] * 3 + [7.0]}
    )
    assert compact(table) == {
        "rows": 4,
        "columns": {"word": [0, 1, 0, 0], "often": [1, 0.123456, None, 2.5]},
        "levels": {"word": ["a", "b"]},
        "sparse": {"rare": {3: 7}},
    }


def test_the_still_picture_is_the_same_each_time_and_has_the_dots(chart):
    picture = chart.still()
    assert picture == chart.still()
    recordings = chart.tables["cells"].query("material == 'recordings'")
    shown = recordings[["silhouette", "converged_balanced_accuracy"]].dropna()
    assert picture.split("dots_marks")[1].split("</g>")[0].count("<path") == len(shown) > 0


VIEW = "document.querySelector('.live').view"
READY = "document.querySelector('.live')?.view && document.querySelector('.drawn')"
DOTS = "document.querySelectorAll('.dots_marks path').length"


@needs_a_browser
def test_a_filter_takes_dots_away_and_the_address_keeps_it(opened):
    opened.open(opened.address, READY)
    before = opened.run(DOTS)
    opened.run(
        "(() => { const menu = [...document.querySelectorAll('.controls label')].find(label => "
        "label.textContent.startsWith('Fidelity')).querySelector('select');"
        "menu.value = 'original'; menu.dispatchEvent(new Event('change', {bubbles: true})) })()"
    )
    opened.until(f"{DOTS} < {before}")
    after, address = opened.run(DOTS), opened.run("location.href")
    assert 0 < after and "only_fidelity=original" in address
    opened.open(address, READY)
    assert opened.run(DOTS) == after


@needs_a_browser
def test_another_metric_moves_the_dots_and_names_the_axis(opened):
    opened.open(opened.address, READY)
    places = "[...document.querySelectorAll('.dots_marks path')].map(dot => dot.getAttribute('transform')).join()"
    before = opened.run(places)
    opened.open(f"{opened.address}#chart=cells&across=nmi", READY)
    assert opened.run(places) != before
    assert "NMI of clusters and classes →" in opened.run("document.querySelector('.drawing svg').textContent")


@needs_a_browser
def test_a_click_marks_the_method_and_tells_the_command(opened, chart):
    opened.open(opened.address, READY)
    place = opened.run(
        "(() => { const box = document.querySelector('.dots_marks path').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2] })()"
    )
    opened.click(*place)
    opened.until("document.querySelector('.details code')")
    cell = opened.run(f"{VIEW}.signal('cell')")
    row = chart.tables["cells"].set_index("cell").loc[cell]
    assert (
        opened.run("document.querySelector('.details code').textContent")
        == f"emargin run {row['flags']} --seed {row['seed']}"
    )
    assert opened.run(f"{VIEW}.signal('marked')") == row["method"]
    faded = "[...document.querySelectorAll('.dots_marks path')].filter(dot => dot.getAttribute('opacity') < .5).length"
    assert 0 < opened.run(faded) < opened.run(DOTS)


@needs_a_browser
def test_a_link_shows_a_cell_that_the_menus_leave_out_with_all_its_seeds(opened, chart):
    table = chart.tables["cells"]
    row = table[(table.material == "white noise") & table.nmi.notna()].iloc[0]
    opened.open(opened.address + cells.link(row["cell"], "nmi"), READY)
    opened.until("document.querySelectorAll('.ring_marks path').length == 1")
    seeds = table[(table["flags"] == row["flags"]) & (table["store"] == row["store"])]
    lines = opened.run(
        "[...document.querySelectorAll('.details tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert [int(seed) for seed, *_ in lines[:-1]] == seeds.seed.tolist()
    assert [float(nmi) for *_, nmi in lines[:-1]] == pytest.approx(seeds.nmi.tolist(), rel=1e-3)
    details = opened.run("document.querySelector('.details').textContent")
    assert row["cell"] in details and row["commit"] in details and row["versions"] in details


@needs_a_browser
def test_arrow_keys_step_from_dot_to_dot(opened):
    opened.open(opened.address, READY)
    opened.run("document.querySelector('.drawing').focus()")
    chosen = []
    for _ in range(2):
        before = opened.run(f"{VIEW}.signal('cell')")
        opened.press("ArrowRight")
        opened.until(f"{VIEW}.signal('cell') !== {json.dumps(before)}")
        chosen.append(opened.run(f"{VIEW}.signal('cell')"))
    assert all(chosen) and len(set(chosen)) == 2
    opened.until("document.querySelectorAll('.ring_marks path').length == 1")


@needs_a_browser
def test_nothing_is_asked_of_the_network(opened):
    opened.ask("Network.enable")
    opened.open(opened.address, READY)
    asked = [
        event["params"]["request"]["url"] for event in opened.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) > 3 and [address for address in asked if not address.startswith(("file:", "data:"))] == []
