"""The two rules for pseudo-labels."""

import pytest
import torch

from emargin.errors import InputError
from emargin.losses.cosines import SLICE, adjacent_cosines, slice_of_rows
from emargin.pseudo_labels import pseudo_labels

FOUR = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


def test_cosines_of_four_frames():
    torch.testing.assert_close(adjacent_cosines(FOUR, wrap=True), torch.tensor([1.0, 0.0, -1.0, 0.0]))


def test_truth_table():
    assert pseudo_labels(FOUR, threshold=0.4, wrap=True).tolist() == [False, True, True, True]
    assert pseudo_labels(FOUR, threshold=0.4, rule="released", wrap=True).tolist() == [True] * 4
    assert pseudo_labels(FOUR, threshold=0.4).tolist() == [False, True, True]


def test_a_cosine_equal_to_the_threshold_is_dissimilar():
    assert pseudo_labels(FOUR, threshold=0.0).tolist() == [False, True, True]
    assert pseudo_labels(FOUR, threshold=1.0).tolist() == [True, True, True]


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 11, 13])
def test_cosines_are_those_of_each_pair_of_rows_however_many(n, wrap):
    rows = torch.randn(2, n, SLICE // 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert slice_of_rows(rows) == 5
    following = range(1, n) if not wrap else [*range(1, n), 0]
    wanted = [[torch.cosine_similarity(one[k - 1], one[k], dim=0).item() for k in following] for one in rows]
    torch.testing.assert_close(adjacent_cosines(rows, wrap=wrap), torch.tensor(wanted).double().reshape(2, -1))


def test_no_row_has_no_cosine():
    assert adjacent_cosines(torch.zeros(0, 4)).shape == (0,)


def test_cosines_of_rows_under_autograd_are_numbers():
    assert not adjacent_cosines(FOUR.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.4, 0.9, 1.0])
def test_released_rule_labels_every_pair_one_from_zero_on(threshold):
    frames = torch.randn(8, 50, 6, generator=torch.Generator().manual_seed(0))
    assert pseudo_labels(frames, threshold=threshold, rule="released").all()
    assert pseudo_labels(frames.abs(), threshold=threshold, rule="released").all()


def test_released_rule_below_zero_keeps_the_first_write():
    frames = torch.rand(4, 20, 6, generator=torch.Generator().manual_seed(0))  # all cosines above -0.5
    assert not pseudo_labels(frames, threshold=-0.5, rule="released").any()


def test_a_cosine_equal_to_a_negative_threshold_is_similar_to_the_released_rule_alone():
    assert pseudo_labels(FOUR, threshold=-1.0, rule="released").tolist() == [False, False, False]
    assert pseudo_labels(FOUR, threshold=-1.0).tolist() == [False, False, True]


def test_sequences_are_labelled_apart_and_flattened_ones_across():
    frames = torch.randn(3, 10, 4, generator=torch.Generator().manual_seed(0))
    apart = pseudo_labels(frames, threshold=0.2)
    across = pseudo_labels(frames.flatten(0, 1), threshold=0.2)
    assert apart.shape == (3, 9)
    assert torch.equal(across[:9], apart[0])
    assert torch.equal(across[10:19], apart[1])


def test_frames_of_silence_are_dissimilar():
    assert pseudo_labels(torch.zeros(3, 4), threshold=0.4).all()


@pytest.mark.parametrize("threshold", [-1.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(threshold):
    with pytest.raises(InputError, match="threshold"):
        pseudo_labels(FOUR, threshold=threshold)


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="rule.*'strict'"):
        pseudo_labels(FOUR, threshold=0.4, rule="strict")
