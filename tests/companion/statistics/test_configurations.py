"""Rows as configurations."""

import numpy as np
import pytest

from companion.statistics.configurations import configurations
from tests.companion.statistics.cells import Cells, seeds_of


def test_configurations_are_means_over_the_seeds_that_ran(tmp_path):
    cells = Cells(5)
    seeds_of(cells, 0.7, 2, method="infonce")
    cells.fail(method="infonce", seed=3)
    cells.fail(method="tnc", seed=1)
    cells.add(0.6, method="emargin", fidelity="original", reading="pair")
    cells.add(0.6, method="emargin", fidelity="original", reading="anchor", fold=2)
    rows = cells.store(tmp_path).rows
    wide = configurations(rows).set_index(["method", "set"])
    assert sorted(wide.reading) == ["", "", "anchor", "pair"]
    accuracy = rows[(rows.method == "infonce") & (rows.metric == "accuracy")].value
    name = "harth-sim, simulated, protocol original, fold 1"
    assert wide.accuracy["infonce", name] == pytest.approx(accuracy.mean()) and len(accuracy) == 2
    assert np.isnan(wide.accuracy["tnc", name])
    assert ("emargin", name.replace("fold 1", "fold 2")) in wide.index


def test_configurations_are_those_of_one_encoder(tmp_path):
    cells = Cells(5)
    cells.add(0.6, method="infonce")
    cells.add(0.9, method="infonce", encoder="context")
    rows = cells.store(tmp_path).rows
    own, context = configurations(rows), configurations(rows, encoder="context")
    for wide, encoder in ((own, ""), (context, "context")):
        assert wide.encoder.tolist() == [encoder]
        accuracy = rows[(rows.encoder == encoder) & (rows.metric == "accuracy")].value
        assert wide.accuracy.tolist() == accuracy.tolist()
    assert own.accuracy.item() != context.accuracy.item()
    assert configurations(rows[rows.encoder == ""].drop(columns=["encoder", "split"])).equals(own)
