"""Sums by person."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from companion.statistics.resampling import CLUSTERING, PROBING, scores_of
from emargin.experiment import run


def test_sums_by_person_give_the_scores_of_the_rows(small, small_dataset):
    people = torch.arange(len(small_dataset.test.labels)) % 3
    dataset = replace(small_dataset, test=replace(small_dataset.test, subjects=people))
    result = run(small(), dataset=dataset, device="cpu", progress=False)
    scores = scores_of(result.arrays, np.ones(3))
    assert set(scores) == {*CLUSTERING, *PROBING, *(f"converged_{name}" for name in PROBING)}
    assert scores == pytest.approx({name: result[name] for name in scores})
