"""Methods on two encoders, each against the untrained control on the same one."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from companion.figures import encoders as figures
from companion.statistics.encoders import ARCHIVE, CONTEXT, FRAME, agreement, gains, lines, with_archive
from tests.companion.statistics.cells import Cells, seeds_of

PROBE = "balanced_accuracy"


@pytest.fixture
def store(tmp_path):
    """Two methods and controls on both encoders; the wrong control of each is far off."""
    cells = Cells(8)
    seeds_of(cells, 0.1, method="random")
    seeds_of(cells, 0.5, method="random-calibrated")
    seeds_of(cells, 0.6, method="infonce")
    seeds_of(cells, 0.5, 1, method="tnc")
    seeds_of(cells, 0.8, method="random", encoder="context")
    seeds_of(cells, 0.9, method="infonce", encoder="context")
    seeds_of(cells, 0.6, method="tnc", encoder="context")
    return cells.store(tmp_path)


def of(table: pd.DataFrame, encoder: str, line: str):
    (found,) = table[(table.encoder == encoder) & (table.line == line)].itertuples()
    return found


def test_a_gain_is_against_the_control_of_the_same_encoder(store):
    table = gains(store, PROBE)
    assert set(table.encoder) == {FRAME, CONTEXT} and len(table) == 4
    assert of(table, FRAME, "InfoNCE, released").control == pytest.approx(0.5, abs=0.03)
    assert of(table, CONTEXT, "InfoNCE, released").control == pytest.approx(0.8, abs=0.03)
    for encoder in (FRAME, CONTEXT):
        found = of(table, encoder, "InfoNCE, released")
        assert found.gain == pytest.approx(0.1, abs=0.04) and found.gain == pytest.approx(found.value - found.control)
        assert found.low < found.gain < found.high and (found.people, found.seeds, found.flaw) == (8, 3, "")
    assert of(table, CONTEXT, "TNC, released").high < 0


def test_seeds_that_only_the_control_has_do_not_count(store):
    found = of(gains(store, PROBE), FRAME, "TNC, released")
    cells = lines(store)
    control = cells[(cells.method == "random-calibrated") & (cells.seed == 1)][PROBE].item()
    assert found.control == control and np.isnan(found.low) and found.flaw == "8 people, 1 seeds: no interval"


def test_without_people_an_interval_is_over_seeds(tmp_path):
    cells = Cells(6)
    seeds_of(cells, 0.5, tables=False, method="random-calibrated")
    seeds_of(cells, 0.7, tables=False, method="infonce")
    store = cells.store(tmp_path)
    (found,) = gains(store, PROBE).itertuples()
    assert (found.people, found.seeds) == (0, 3) and found.low < found.gain < found.high


def test_agreement_is_the_rank_correlation_of_both_orders():
    table = pd.DataFrame(
        {"dataset": "a", "line": list("pqr") * 2, "encoder": [FRAME] * 3 + [CONTEXT] * 3, "value": [1, 2, 3, 3, 2, 1]}
    )
    (found,) = agreement(table).itertuples()
    assert (found.correlation, found.methods, found.first_frame, found.first_context) == (-1, 3, "r", "p")
    assert agreement(table[table.encoder == FRAME]).empty


def test_scores_of_whole_series_are_read_like_those_of_frames(tmp_path):
    stores = {}
    for prefix in ("", "series_"):
        cells = Cells(6)
        seeds_of(cells, 0.5, tables=False, method="random-calibrated")
        seeds_of(cells, 0.7, tables=False, method="infonce")
        cells.rows = [row | {"metric": f"{prefix}{row['metric']}"} for row in cells.rows]
        folder = tmp_path / f"of_{prefix}"
        folder.mkdir()
        stores[prefix] = gains(cells.store(folder), PROBE)
    assert len(stores[""]) == 1
    pd.testing.assert_frame_equal(*stores.values())


def archive(n: int) -> pd.DataFrame:
    """Gains of two lines on n sets of the archive, and of one on recordings; TNC lacks the last set."""
    one = {"encoder": FRAME, "value": 0.6, "control": 0.5, "low": 0.0, "high": 0.2, "people": 0, "flaw": ""}
    sets = [
        one | {"dataset": f"ucr-{number}", "line": line, "gain": number / 10, "seeds": 3 - (number == 1)}
        for number in range(n)
        for line in ("InfoNCE", "TNC")
        if line == "InfoNCE" or number < n - 1
    ]
    return pd.DataFrame([one | {"dataset": "harth-sim", "line": "InfoNCE", "gain": 0.1, "seeds": 3}, *sets])


def test_the_archive_is_one_set_with_an_interval_over_six():
    table = with_archive(archive(6))
    assert list(table.dataset) == ["harth-sim", ARCHIVE] and list(table.line) == ["InfoNCE"] * 2
    values = np.arange(6) / 10
    expected = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    assert table.gain[1] == pytest.approx(values.mean()) and table.seeds[1] == 2
    assert (table.low[1], table.high[1]) == pytest.approx(expected)


def test_below_six_sets_the_archive_has_no_interval():
    found = with_archive(archive(5)).iloc[1]
    assert np.isnan(found.low) and found.flaw == "5 sets, 6 wanted: no interval"


def test_figures_have_a_mark_a_line_and_encoder(store):
    table = gains(store, PROBE)
    for draw in (figures.values, figures.added):
        fig = draw(table, {"harth-sim": "a set"}, "simulated data")
        (axis,) = fig.axes
        assert sum(
            len(marks.get_offsets()) for marks in axis.collections if hasattr(marks, "_sizes") and len(marks._sizes)
        ) == len(table)
        assert [label.get_text() for label in axis.get_yticklabels()] == ["InfoNCE, released", "TNC, released"]
        assert axis.get_title(loc="left") == "a set"
