"""The figure of forces: which losses it shows, and with which signs."""

import pytest

from companion.audit.forces import force_cases, forces, uniform_similarity
from companion.figures.margin import force_matrices


@pytest.fixture
def matrices():
    similarity = uniform_similarity(5, adjacent=0.8, background=0.5)
    drawn = force_matrices({case: forces(loss, similarity) for case, loss in force_cases(5, 0.5, 5.0).items()})
    return {axis.get_title("left"): axis for axis in drawn.axes if axis.collections}


def marks(axis, sign: str) -> int:
    (line,) = [line for line in axis.lines if line.get_marker() == {"attracts": "_", "repels": "+"}[sign]]
    return len(line.get_xdata())


def test_infonce_attracts_the_band_and_the_released_loss_everything(matrices):
    pairs = 5 * 4
    assert (marks(matrices["InfoNCE"], "attracts"), marks(matrices["InfoNCE"], "repels")) == (8, pairs - 8)
    assert marks(matrices["released, two-sided\ny = 1"], "attracts") == pairs
    assert marks(matrices["original, anchor\ny = 1"], "repels") == 8


def test_every_loss_of_the_page_has_its_matrix(matrices):
    assert len(matrices) == 11 and "original, all-pairs\nadjacent 1, others 0" in matrices
