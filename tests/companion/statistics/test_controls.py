"""What the page on controls computes: means beside the paper's, evenly filled lines, frames far out."""

import pandas as pd
import pytest
import torch

from companion.statistics import controls


def test_a_single_seed_has_no_spread_and_a_control_that_did_not_run_says_so():
    rest = dict.fromkeys(controls.SCORES, 0.5)
    runs = pd.DataFrame(
        [
            rest | {"name": name, "control": control, "silhouette": value}
            for name, control, value in (
                ("a", "x", 0.2),
                ("a", "x", 0.4),
                (controls.EMARGIN, "x", 0.3),
                ("a", "y", 0.7),
            )
        ]
    )
    found = controls.compared(runs, [controls.EMARGIN, "a"], ["x", "y"], "paper", {"silhouette": "0.61 ± 0.02"})
    assert found.loc["silhouette"].to_numpy().tolist() == [
        ["0.30", "not run", "0.61 ± 0.02"],
        ["0.30 ± 0.14", "0.70", "–"],
    ]
    assert set(found.loc["NMI"]["paper"]) == {"–"}


def test_a_line_needs_a_lower_rank_for_the_same_silhouette_in_more_cuts():
    ranks = [controls.rank_for(0.4, cuts) for cuts in (4, 5, 19)]
    assert ranks == sorted(ranks, reverse=True)
    assert controls.silhouette_of_line(ranks[-1], 19) == pytest.approx(0.4)
    runs = pd.DataFrame({"dataset": ["dsads", "mitbih"], "participation_ratio": [ranks[-1], ranks[0]]})
    assert controls.beside_a_line(runs).even.tolist() == pytest.approx([0.4, 0.4])


def test_a_frame_far_out_makes_a_low_rank_and_is_left_out():
    rows = torch.randn(100, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows[0, 0] = 1000
    whole, without = controls.without_the_farthest(rows)
    assert whole < 1.01 and without > 6
