"""The blocks of the symmetric matrix of cosines: each pair once, few in memory, padding without a trace."""

import numpy as np
import pytest
import torch

from emargin.losses.triangle import Triangle

SHAPES = [(1, 3, 4), (1, 61, 4), (3, 61, 4), (2, 64, 4), (5, 7, 4), (1, 130, 4), (2, 16, 4)]


@pytest.fixture(params=[(8, 4), (8, 2), (16, 16), (1, 1), (512, 3), (3, 2)], autouse=True)
def sides(monkeypatch, request):
    block, leaf = request.param
    monkeypatch.setattr("emargin.losses.triangle.BLOCK", block)
    monkeypatch.setattr("emargin.losses.triangle.LEAF", leaf)
    monkeypatch.setattr("emargin.losses.triangle.KEPT", 3 * 8**2)
    return block, leaf


def unit_rows(shape):
    rows = torch.tensor(np.random.default_rng(0).standard_normal(shape))
    return rows / rows.norm(dim=-1, keepdim=True)


def places(triangle, blocks, groups):
    """Group, row and column of each entry of blocks."""
    numbers = torch.arange(groups * triangle.padded_n).view(groups, -1)
    rows, columns = blocks.of(numbers)
    rows, columns = torch.broadcast_tensors(rows[:, :, None], columns[:, None])
    assert torch.equal(rows // triangle.padded_n, columns // triangle.padded_n)
    return rows // triangle.padded_n, rows % triangle.padded_n, columns % triangle.padded_n


@pytest.mark.parametrize("shape", SHAPES)
def test_each_pair_lies_in_one_block_as_it_is_or_transposed(shape):
    unit = unit_rows(shape)
    triangle = Triangle(unit, keep=False, spares=0)
    padded, n = triangle.padded(unit), triangle.padded_n
    found, met = torch.zeros(shape[0], n, n).double(), torch.zeros(shape[0], n, n).int()
    for blocks, _, s in triangle.blocks(padded, 0.5):
        at, rows, columns = places(triangle, blocks, shape[0])
        found[at, rows, columns] = s
        met[at, rows, columns] += 1
        if not blocks.diagonal:
            found[at, columns, rows] = s
            met[at, columns, rows] += 1
    assert (met == 1).all()
    torch.testing.assert_close(found[:, : shape[1], : shape[1]], 0.5 * unit @ unit.mT)


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_know_where_they_lie(shape):
    triangle = Triangle(unit_rows(shape), keep=False, spares=0)
    for blocks in triangle.parts:
        _, rows, columns = places(triangle, blocks, shape[0])
        assert blocks.shape == rows.shape
        assert blocks.diagonal == bool((rows == columns).any())
        assert blocks.touching == bool((rows + 1 == columns)[:, -1, 0].all() and not blocks.diagonal)
    assert [blocks.diagonal for blocks in triangle.parts] == sorted(blocks.diagonal for blocks in triangle.parts)


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_are_no_larger_than_asked_for(sides, shape):
    block, leaf = sides
    triangle = Triangle(unit_rows(shape), keep=False, spares=0)
    if block == 3:
        block = 4  # a side is halved to whole rows
    assert all(max(blocks.shape[1:]) <= block for blocks in triangle.parts)
    assert all(size <= block**2 for size in triangle.sizes)
    assert all(blocks.shape[1] <= leaf for blocks in triangle.parts if blocks.diagonal)


@pytest.mark.parametrize("shape", SHAPES)
def test_padding_is_zero_rows_at_the_end_and_leaves_no_value(shape):
    unit = unit_rows(shape)
    triangle = Triangle(unit, keep=False, spares=0)
    padded = triangle.padded(unit)
    assert padded.shape[1] == triangle.padded_n >= shape[1]
    assert torch.equal(padded[:, : shape[1]], unit) and not padded[:, shape[1] :].any()
    for blocks, _, s in triangle.blocks(padded):
        _, _, columns = places(triangle, blocks, shape[0])
        kept = triangle.without_padding(blocks, s.fill_(1.0))
        assert kept is s and torch.equal(kept != 0, columns < shape[1])


def test_a_length_that_can_be_halved_is_not_padded(sides):
    if sides == (8, 4):
        unit = unit_rows((2, 64, 4))
        assert Triangle(unit, keep=False, spares=0).padded(unit) is unit


@pytest.mark.parametrize("shape", SHAPES)
def test_only_the_last_blocks_stay_and_each_until_it_is_used(shape):
    unit = unit_rows(shape)
    triangle = Triangle(unit, keep=True, spares=1)
    padded, first, kept = triangle.padded(unit), [], []
    for blocks, stays, s, spare in triangle.blocks(padded, 2.0):
        assert spare.shape == s.shape
        first.append((blocks, s.clone()))
        kept.append(stays)
        s.mul_(3)
        spare.fill_(torch.nan)
    assert kept == sorted(kept)  # the last ones, and as many as fit
    staying = sum(size for size, stays in zip(triangle.sizes, kept, strict=True) if stays)
    assert staying <= 3 * 8**2 and (all(kept) or staying + triangle.sizes[kept.count(False) - 1] > 3 * 8**2)
    for stayed in (kept[::-1], len(kept) * [False]):  # the second time no block is there any more
        found = []
        for (blocks, there, s, spare), (same, before) in zip(triangle.again(padded, 2.0), first[::-1], strict=True):
            assert blocks == same and torch.equal(s, 3 * before if there else before)
            found.append(there)
            s.fill_(torch.nan)
            spare.fill_(torch.nan)
        assert found == stayed
        assert triangle.memory is None


@pytest.mark.parametrize("keep", [False, True])
def test_memory_is_what_stays_and_the_spares(keep):
    triangle = Triangle(unit_rows((1, 61, 4)), keep=keep, spares=2)
    staying = sum(triangle.sizes[triangle.first_staying :])
    assert (staying > 0) <= keep
    assert len(triangle.memory) == max(staying, max(triangle.sizes)) + 2 * max(triangle.sizes)


@pytest.mark.parametrize("n", [952, 1600, 4000, 32_000])
def test_little_more_than_half_of_the_matrix_is_formed(monkeypatch, n):
    monkeypatch.undo()
    triangle = Triangle(torch.empty(1, n, 1), keep=False, spares=0)
    assert sum(triangle.sizes) < 0.63 * n**2
    assert triangle.padded_n < 1.01 * n
