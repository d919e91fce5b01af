"""The symmetric matrix S of a batch's cosines, on and above its diagonal, in blocks.

S = U U^T for unit rows U. Far from the diagonal it is cut into squares of at most BLOCK rows. Those on the diagonal are
halved, again and again:

    S = [A    B]    B serves the anchors of its rows and, transposed, those of its columns;
        [B^T  D]    A and D are halved in turn, down to blocks of at most LEAF rows.

So little more than half of S is formed, and in few operations: all blocks of one size lie side by side as a batch.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from emargin.losses.memory import BLOCK, CUDA_BLOCK, CUDA_KEPT, KEPT, LEAF


@dataclass(frozen=True)
class Blocks:
    """Blocks of S of the same shape, as a batch: the rows of all groups, end to end, are cut into stretches."""

    width: int  # rows of a stretch, within which a block lies
    stretches: slice  # those that hold a block
    rows: slice  # of a block within its stretch
    columns: slice

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (blocks, rows, columns)."""
        return tuple(part.stop - part.start for part in (self.stretches, self.rows, self.columns))

    @property
    def diagonal(self) -> bool:
        """Say whether the blocks lie on the diagonal of S."""
        return self.rows == self.columns

    @property
    def touching(self) -> bool:
        """Say whether the last row and the first column of a block are neighbours."""
        return self.rows.stop == self.columns.start

    def of(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return values of rows and of columns: `(G, P, ...)` -> `(blocks, rows, ...)` and `(blocks, columns, ...)`."""
        stretches = values.view(-1, self.width, *values.shape[2:])[self.stretches]
        return stretches[:, self.rows], stretches[:, self.columns]


class Triangle:
    """All blocks of S once, for sums, and once more, for their gradient.

    N is filled up with rows of zeros to P rows, the next number that can be halved (`padded`).

    Parameters
    ----------
    rows : Tensor
        `(G, N, C)`, of which only shape, dtype and device count: each of G groups has its S.
    keep : bool
        Whether some blocks stay in memory for the gradient, as the caller has left them.
    spares : int
        How many further tensors of a block's shape the caller gets to work in.
    """

    def __init__(self, rows: Tensor, *, keep: bool, spares: int):
        groups, self.n, _ = rows.shape
        block, leaf, kept = (CUDA_BLOCK, CUDA_BLOCK, CUDA_KEPT) if rows.is_cuda else (BLOCK, LEAF, KEPT)
        squares = -(-self.n // block)  # along a side
        halvings = max(0, math.ceil(math.log2(self.n / (squares * leaf))))
        leaf = -(-self.n // (squares << halvings))
        square = leaf << halvings
        self.padded_n = squares * square
        self.parts = list(_parts(groups, self.padded_n, square, leaf, most=block**2))
        self.sizes = [math.prod(part.shape) for part in self.parts]
        staying, self.first_staying = 0, len(self.parts)  # the last blocks stay: the gradient starts with them
        while keep and self.first_staying and staying + self.sizes[self.first_staying - 1] <= kept:
            self.first_staying -= 1
            staying += self.sizes[self.first_staying]
        self.spares, self.largest = spares, max(self.sizes)
        self.memory: Tensor | None = self._fresh(rows)

    def padded(self, values: Tensor) -> Tensor:
        """Add zeros at the end, `(G, N, ...)` -> `(G, P, ...)`; the same tensor where N = P."""
        if self.n == self.padded_n:
            return values.contiguous()
        filled = values.new_zeros(len(values), self.padded_n, *values.shape[2:])
        filled[:, : self.n] = values
        return filled

    def without_padding(self, blocks: Blocks, values: Tensor) -> Tensor:
        """Set values of blocks, `(blocks, rows, columns)`, to zero in columns that `padded` has added; in place."""
        if self.n < self.padded_n and (blocks.width < self.padded_n or blocks.columns.stop > self.n):
            stretches, columns = (
                torch.arange(part.start, part.stop, device=values.device) for part in (blocks.stretches, blocks.columns)
            )
            starts = stretches % (self.padded_n // blocks.width) * blocks.width
            values *= (starts[:, None] + columns < self.n)[:, None]
        return values

    def blocks(self, unit: Tensor, scale: float = 1.0) -> Iterator[tuple[Any, ...]]:
        """Yield (blocks, whether what the caller leaves in s stays, s = scale * cosines, and each spare).

        unit: `(G, P, C)`.
        """
        assert self.memory is not None
        for number, s, *free in self._places(self.memory, range(len(self.parts)), self.first_staying):
            self._products(number, unit, scale, s)
            yield self.parts[number], number >= self.first_staying, s, *free

    def again(self, unit: Tensor, scale: float = 1.0) -> Iterator[tuple[Any, ...]]:
        """Yield (blocks, whether they stayed, what the caller left in s or else s anew, and each spare).

        From the last blocks, those on the diagonal, to the first. The caller may change all tensors.
        """
        memory = self._fresh(unit) if self.memory is None else self.memory
        first_stayed, self.first_staying, self.memory = self.first_staying, len(self.parts), None
        for number, s, *free in self._places(memory, reversed(range(len(self.parts))), first_stayed):
            stayed = number >= first_stayed
            if not stayed:
                self._products(number, unit, scale, s)
            yield self.parts[number], stayed, s, *free

    def _products(self, number: int, unit: Tensor, scale: float, out: Tensor) -> None:
        rows, columns = self.parts[number].of(unit)
        out.baddbmm_(rows, columns.mT, beta=0, alpha=scale)

    def _fresh(self, like: Tensor) -> Tensor:
        """Return memory for the blocks that stay, or for the largest that does not, and for the spares.

        It is a single piece for both passes, because of the allocator: see `emargin.losses.memory`.
        """
        staying = sum(self.sizes[self.first_staying :])
        return like.new_empty(max(staying, self.largest) + self.spares * self.largest)

    def _places(self, memory: Tensor, numbers: Iterable[int], first_staying: int) -> Iterator[tuple[Any, ...]]:
        """Yield each number of `parts` with the place of its s and the spares.

        Blocks that do not stay share the first place: in the first pass with the blocks that are formed after them, in
        the second with those that were used before them.
        """
        spares = [len(memory) - (spare + 1) * self.largest for spare in range(self.spares)]
        places = [0] * (first_staying + 1)
        for size in self.sizes[first_staying:]:
            places.append(places[-1] + size)
        for number in numbers:
            size, shape = self.sizes[number], self.parts[number].shape
            yield number, *(memory[place : place + size].view(shape) for place in (places[number], *spares))


def _parts(groups: int, n: int, square: int, leaf: int, most: int) -> Iterator[Blocks]:
    """Yield the blocks of `groups` triangles of n rows, from corner to diagonal, of about `most` entries each."""

    def batches(width: int, rows: slice, columns: slice) -> Iterator[Blocks]:
        stretches = groups * n // width
        step = max(1, most // ((rows.stop - rows.start) * (columns.stop - columns.start)))
        for start in range(0, stretches, step):
            yield Blocks(width, slice(start, min(start + step, stretches)), rows, columns)

    cuts = [slice(start, start + square) for start in range(0, n, square)]
    for number, rows in enumerate(cuts):
        for columns in cuts[number + 1 :]:
            yield from batches(n, rows, columns)
    width = square
    while width > leaf:
        yield from batches(width, slice(0, width // 2), slice(width // 2, width))
        width //= 2
    yield from batches(leaf, slice(0, leaf), slice(0, leaf))
