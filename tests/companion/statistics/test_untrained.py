"""Trained configurations against calibrated random weights."""

import pandas as pd
import pytest

from companion.figures import untrained as figures
from companion.grid.store import Store
from companion.statistics.configurations import configurations
from companion.statistics.untrained import against_untrained, below_untrained
from emargin.paths import home

PROBE = "balanced_accuracy"


def lines(values: dict, name="a set") -> pd.DataFrame:
    frame = pd.DataFrame({"method": list(values), PROBE: list(values.values())})
    return frame.assign(set=name, dataset=name, fidelity="released", reading="", labels="")


def test_each_trained_configuration_is_set_against_the_calibrated_control():
    found = pd.concat(
        [
            lines({"random": 0.9, "random-calibrated": 0.5, "infonce": 0.6, "cpc": 0.3, "tnc": 0.5, "cost": None}),
            lines({"random": 0.1, "infonce": 0.6}, "without the control"),
        ]
    )
    differences = against_untrained(found, [PROBE])
    assert differences.set_index("method").value.to_dict() == pytest.approx({"infonce": 0.1, "cpc": -0.2, "tnc": 0})
    (counted,) = below_untrained(differences).itertuples(index=False)
    assert counted == ("a set", PROBE, 1, 3, pytest.approx(1 / 3))


@pytest.fixture(scope="module")
def committed() -> pd.DataFrame:
    rows = Store(home() / "results" / "grid").rows
    return against_untrained(configurations(rows[rows.protocol == "original"]))


def test_a_fifth_to_three_quarters_of_the_committed_read_less_in_the_converged_probe(committed):
    counted = below_untrained(committed)
    shares = counted[counted.probe == "converged_balanced_accuracy"].share
    assert shares.min() == pytest.approx(0.2, abs=0.005) and shares.max() == pytest.approx(0.76, abs=0.005)


def test_figure_has_a_mark_a_configuration_and_says_the_share(committed):
    names = {name: f"set {number}" for number, name in enumerate(committed["set"].unique())}
    fig = figures.against_untrained(committed, names, "real data")
    assert [axis.get_title(loc="left") for axis in fig.axes] == list(figures.PROBES.values())
    for axis, probe in zip(fig.axes, figures.PROBES, strict=True):
        inside = committed[committed.probe == probe]
        marks = sum(len(collection.get_offsets()) for collection in axis.collections)
        assert marks == len(inside)
        wanted = {f"{row.below} of {row.of}" for row in below_untrained(inside).itertuples()}
        assert {text.get_text() for text in axis.texts} == wanted
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == list(names.values())
