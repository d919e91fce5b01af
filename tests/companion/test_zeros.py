"""How many frames of an embedding are rows of zeros."""

import numpy as np
import pytest
import torch

from companion.zeros import most_alike, zeros_at_least
from emargin.evaluation.collapse import mean_cosine, uniformity


def test_the_bound_is_below_the_share_and_near_it_for_rows_without_a_common_direction():
    rows = torch.cat([torch.zeros(60, 200), torch.eye(200)[:40]])
    bound = zeros_at_least(float(mean_cosine(rows)), float(uniformity(rows)))
    assert 0.4 < bound <= 0.6
    assert zeros_at_least(0.9, -2.0) == 0


def test_the_most_frequent_row_is_counted():
    assert most_alike(np.array([[0, 0], [1, 2], [0, 0], [2, 1]])) == pytest.approx(0.5)
