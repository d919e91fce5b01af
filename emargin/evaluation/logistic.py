"""Class-balanced logistic regression with a quadratic penalty, along a path of penalties, with a certificate.

Of frames z_i of classes y_i, with weights v_i that sum to 1 and give each class the same share, it minimises

    f(W, b) = - sum_i v_i log softmax(W z_i + b)[y_i] + penalty / 2 ||W||^2

Scikit-learn's `LogisticRegression(C, class_weight="balanced")` of n frames is that of penalty 1 / (C n).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

TOLERANCE = 1e-4  # of the norm of the gradient, relative to that of weights that are all zero
MEMORY, ITERATIONS = 20, 3000  # of L-BFGS: pairs kept, and steps at most
BLOCK = 1024  # frames a product: what it takes and gives stays in the processor's cache
DEAD = 1e-12  # of the largest curvature: what is less has none


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression.

    Parameters
    ----------
    classes : ndarray
        Those it knows, ascending, `(K,)`.
    weights, intercept : Tensor
        Float64 `(K, C)` and `(K,)`.
    penalty : float
    gradient : float
        The certificate: the norm of the gradient there, see `_norm`, in float64, relative to that at weights of zero.
    iterations : int
        Steps of L-BFGS from where the fit started.
    """

    classes: np.ndarray
    weights: Tensor
    intercept: Tensor
    penalty: float
    gradient: float
    iterations: int

    def log_probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities of the K classes, float64 `(n, K)`, of features `(n, C)`."""
        blocks = torch.from_numpy(x).split(BLOCK)
        parts = [torch.mm(self.weights, block.double().T).add_(self.intercept[:, None]) for block in blocks]
        return torch.cat(parts, 1).log_softmax(0).T.numpy()

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the most probable class of each row of `(n, C)`."""
        return self.classes[self.log_probabilities(x).argmax(1)]


def path(
    x: np.ndarray,
    y: np.ndarray,
    penalties: Sequence[float],
    tolerance: float = TOLERANCE,
    *,
    start: Fit | None = None,
) -> Iterator[Fit]:
    """Fit at each of several penalties, each from where the last one ended.

    L-BFGS works on coordinates in which the curvature is about 1: that of the loss is about a product of the covariance
    of the classes' probabilities and that of the features.

    Parameters
    ----------
    x : ndarray
        Features `(n, C)`, float32 or float64, which it computes with; sums are in float64. Where the rounding of
        float32 stops it before the tolerance, it goes on in float64.
    y : ndarray
        Classes, int `(n,)`. A single class is always predicted.
    penalties : sequence of float
        From large to small.
    tolerance : float
        At which norm of the gradient to stop, relative to that of zero weights. Below 1e-7 the differences of the
        objective are lost in the rounding of float64.
    start : Fit, optional
        Where to start, of the same classes; at zero weights unless given.

    Yields
    ------
    Fit
        Its `gradient` is above the tolerance where L-BFGS ended before.
    """
    problem = _Problem(x, y)
    weights = start.weights if start else torch.zeros(len(problem.classes), x.shape[1], dtype=torch.float64)
    intercept = start.intercept if start else torch.zeros(len(problem.classes), dtype=torch.float64)
    for penalty in penalties:
        gradient, steps = 0.0, 0
        for dtype in dict.fromkeys((problem.x.dtype, torch.float64)) if len(problem.classes) > 1 else ():
            weights, intercept, more = _minimised(problem, weights, intercept, penalty, tolerance, dtype)
            gradient, steps = problem.gradient_norm(weights, intercept, penalty), steps + more
            if gradient <= tolerance:
                break
        yield Fit(problem.classes, weights, intercept, penalty, gradient, steps)


class _Problem:
    """Frames with their weights: the loss, its gradient, and its curvature."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self.classes, number, counts = np.unique(y, return_inverse=True, return_counts=True)
        share = 1 / (len(self.classes) * counts[number])
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(number)
        self.share = torch.from_numpy(share).to(self.x.dtype)
        gram = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
        for frames, part in zip(self.x.split(BLOCK), self.share.split(BLOCK), strict=True):
            gram += (frames.T * part) @ frames
        values, self.directions = torch.linalg.eigh(gram)
        self.spread = values.clamp(min=0)
        zero = torch.zeros(len(self.classes), x.shape[1], dtype=torch.float64), torch.zeros(len(self.classes)).double()
        self.norm_at_zero = _norm(*self.loss(*zero, torch.float64)[1:], 0.0)

    def loss(self, weights: Tensor, intercept: Tensor, dtype: torch.dtype) -> tuple[float, Tensor, Tensor]:
        """Return the mean loss and its gradient on weights and intercept, float64, computed with another precision.

        Logits are (classes, frames): a softmax over a last axis of a few entries would take as long as the products.
        """
        weights, intercept = weights.to(dtype), intercept.to(dtype)
        value, on_weights = 0.0, torch.zeros_like(weights, dtype=torch.float64)
        on_intercept = torch.zeros_like(intercept, dtype=torch.float64)
        for x, y, share in self._blocks():
            x, share = x.to(dtype), share.to(dtype)
            logits = torch.mm(weights, x.T).add_(intercept[:, None]).log_softmax(0)
            value -= float(logits.gather(0, y[None])[0].double() @ share.double())
            error = logits.exp_().scatter_add_(0, y[None], share.new_full((1, len(y)), -1)).mul_(share)
            on_weights += error @ x
            on_intercept += error.double().sum(1)
        return value, on_weights, on_intercept

    def curvature(self, weights: Tensor, intercept: Tensor) -> Tensor:
        """Return the mean covariance of the classes' indicators, diag(p) - p p', float64 `(K, K)`."""
        weights, intercept = weights.to(self.x.dtype), intercept.to(self.x.dtype)
        total = torch.zeros(len(weights), len(weights), dtype=torch.float64)
        for x, _, share in self._blocks():
            probabilities = torch.mm(weights, x.T).add_(intercept[:, None]).softmax(0)
            weighted = probabilities * share
            total += torch.diag(weighted.double().sum(1)) - (weighted @ probabilities.T).double()
        return total

    def gradient_norm(self, weights: Tensor, intercept: Tensor, penalty: float) -> float:
        """Return the norm of the objective's gradient in float64, relative to that of zero weights."""
        _, on_weights, on_intercept = self.loss(weights, intercept, torch.float64)
        penalty = _per_class(penalty, self.classes)
        return _norm(on_weights + penalty * weights, on_intercept, penalty) / self.norm_at_zero

    def _blocks(self) -> Iterator[tuple[Tensor, ...]]:
        return zip(self.x.split(BLOCK), self.y.split(BLOCK), self.share.split(BLOCK), strict=True)


def _per_class(penalty: float, classes: np.ndarray) -> float:
    """Return the penalty on each class's weights: of two classes, scikit-learn's is on the difference of theirs."""
    return 2 * penalty if len(classes) == 2 else penalty


def _norm(on_weights: Tensor, on_intercept: Tensor, penalty: float) -> float:
    """Return the norm of a gradient; the part on the intercepts counts 1 + penalty times.

    A large penalty makes weights of about gradient / penalty: offsets that are as far off would decide the class.
    """
    return float((on_weights.square().sum() + ((1 + penalty) * on_intercept).square().sum()).sqrt())


def _minimised(
    problem: _Problem, weights: Tensor, intercept: Tensor, penalty: float, tolerance: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor, int]:
    """Return weights and intercept where the gradient is within the tolerance, or L-BFGS ended, and its steps."""
    penalty = _per_class(penalty, problem.classes)
    values, mixes = torch.linalg.eigh(problem.curvature(weights, intercept))
    values = values.clamp(min=0)
    scale = (values[:, None] * problem.spread + penalty).rsqrt()  # of each coordinate, to a curvature of 1
    alive = values > DEAD * values.max()
    shift = torch.where(alive, values, 1).rsqrt() * alive
    n_classes, n_features = weights.shape
    latest: dict[str, float] = {}

    def plain(flat: np.ndarray) -> tuple[Tensor, Tensor]:
        scaled = torch.from_numpy(flat).view(n_classes, n_features + 1)
        return mixes @ (scaled[:, :-1] * scale) @ problem.directions.T, mixes @ (scaled[:, -1] * shift)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        there, offset = plain(flat)
        value, on_weights, on_intercept = problem.loss(there, offset, dtype)
        on_weights += penalty * there
        latest["gradient"] = _norm(on_weights, on_intercept, penalty) / problem.norm_at_zero
        scaled = (mixes.T @ on_weights @ problem.directions) * scale, ((mixes.T @ on_intercept) * shift)[:, None]
        return value + penalty / 2 * float(there.square().sum()), torch.cat(scaled, 1).flatten().numpy()

    def stops(intermediate_result: Any) -> None:
        if latest["gradient"] <= tolerance:
            raise StopIteration

    scaled = (mixes.T @ weights @ problem.directions) / scale
    offset = (mixes.T @ intercept) * alive / torch.where(alive, shift, 1)
    start = torch.cat([scaled, offset[:, None]], 1).flatten().numpy()
    options = {"maxcor": MEMORY, "maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "gtol": 0.0, "ftol": 0.0}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", callback=stops, options=options)
    return *plain(found.x), int(found.nit)
