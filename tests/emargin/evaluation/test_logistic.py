"""The regression reaches the optimum that scikit-learn does, says how near it came, and is the same twice."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from emargin.evaluation import logistic
from emargin.evaluation.logistic import path

TIGHT = 3e-8  # as far as float64 goes


def frames(n=300, n_features=7, shares=(0.6, 0.3, 0.1), seed=0):
    """Overlapping classes of several sizes, on features of other scales that depend on each other."""
    draws = np.random.default_rng(seed)
    y = draws.choice(len(shares), n, p=shares)
    x = draws.standard_normal((n, n_features)) + np.eye(len(shares), n_features)[y]
    return x @ draws.standard_normal((n_features, n_features)), y


def objective(x, y, weights, intercept, penalty):
    """The documented objective in its plainest form."""
    total, kinds = 0.0, np.unique(y)
    for row, label in zip(x, y, strict=True):
        logits = weights @ row + intercept
        place = list(kinds).index(label)
        chance = np.exp(logits[place] - logits.max()) / np.exp(logits - logits.max()).sum()
        total -= np.log(chance) / (len(kinds) * (y == label).sum())
    factor = 2 if len(kinds) == 2 else 1
    return total + factor * penalty / 2 * (weights**2).sum()


@pytest.mark.parametrize("shares", [(0.6, 0.3, 0.1), (0.9, 0.1), (0.3, 0.3, 0.2, 0.1, 0.1)], ids=len)
def test_the_optimum_is_scikit_learns_along_the_whole_path(shares):
    x, y = frames(shares=shares)
    inverse = [1e-3, 1e-1, 1.0, 100.0]
    for c, fit in zip(inverse, path(x, y, [1 / (c * len(y)) for c in inverse], TIGHT), strict=True):
        theirs = LogisticRegression(C=c, class_weight="balanced", tol=1e-12, solver="newton-cholesky").fit(x, y)
        coefficients, offsets = theirs.coef_, theirs.intercept_
        if len(shares) == 2:  # they give the difference of the two
            coefficients, offsets = np.stack([-coefficients[0], coefficients[0]]) / 2, np.r_[-offsets, offsets] / 2
        np.testing.assert_allclose(fit.weights.numpy(), coefficients, atol=1e-6 * max(1, abs(coefficients).max()))
        np.testing.assert_allclose(fit.intercept.numpy(), offsets, atol=1e-5 * max(1, abs(offsets).max()))
        ours, other = (
            objective(x, y, *parts, fit.penalty)
            for parts in ((fit.weights.numpy(), fit.intercept.numpy()), (coefficients, offsets))
        )
        assert ours <= other + 1e-12 and fit.gradient <= TIGHT
        assert (fit.predict(x) == theirs.predict(x)).all()


def test_the_certificate_is_the_gradient_of_the_plain_objective():
    x, y = frames(n=40, n_features=3)
    (fit,) = path(x.astype(np.float32), y, [0.01], 1e-2)
    weights, offset = fit.weights.clone().requires_grad_(), fit.intercept.clone().requires_grad_()
    share = torch.tensor(1 / (3 * np.bincount(y)[y]))

    def norm(weights, offset, penalty):
        logits = torch.tensor(x.astype(np.float32)).double() @ weights.T + offset
        loss = (share * torch.nn.functional.cross_entropy(logits, torch.tensor(y), reduction="none")).sum()
        gradients = torch.autograd.grad(loss + penalty / 2 * weights.square().sum(), (weights, offset))
        return (float(gradients[0].square().sum()) + (1 + penalty) ** 2 * float(gradients[1].square().sum())) ** 0.5

    zero = torch.zeros_like(weights).requires_grad_(), torch.zeros_like(offset).requires_grad_()
    assert fit.gradient == pytest.approx(norm(weights, offset, 0.01) / norm(*zero, 0.01), rel=1e-5)
    assert 1e-9 < fit.gradient < 2e-2


def test_what_stops_before_the_optimum_says_so(monkeypatch):
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    (fit,) = path(*frames(), [1e-5])
    assert fit.gradient > logistic.TOLERANCE and fit.iterations == 2


def test_single_precision_reaches_the_usual_tolerance():
    x, y = frames(n=2000, n_features=20)
    x = (x - x.mean(0)) / x.std(0)
    fits = list(path(x.astype(np.float32), y, [1e-2, 1e-4, 1e-6]))
    exact = list(path(x, y, [1e-2, 1e-4, 1e-6], TIGHT))
    for fit, best in zip(fits, exact, strict=True):
        assert fit.gradient <= 1.1 * logistic.TOLERANCE
        assert (fit.predict(x.astype(np.float32)) == best.predict(x)).mean() > 0.995


def test_a_warm_start_ends_where_a_cold_one_does():
    x, y = frames()
    *_, warm = path(x, y, [1.0, 0.1, 0.01], TIGHT)
    (cold,) = path(x, y, [0.01], TIGHT)
    torch.testing.assert_close(warm.weights, cold.weights, atol=1e-6, rtol=1e-6)


def test_features_that_are_constant_or_repeated_have_no_say_of_their_own():
    x, y = frames()
    (plain,) = path(x, y, [0.01], TIGHT)
    (more,) = path(np.column_stack([x, np.zeros(len(x))]), y, [0.01], TIGHT)
    assert abs(more.weights[:, -1]).max() == 0
    torch.testing.assert_close(more.weights[:, :-1], plain.weights, atol=1e-6, rtol=1e-6)
    (twice,) = path(np.column_stack([x, x]), y, [0.01], TIGHT)
    torch.testing.assert_close(twice.weights[:, :7], twice.weights[:, 7:], atol=1e-6, rtol=1e-6)


def test_the_same_twice_to_the_bit():
    x, y = frames(n=3000)
    one, two = (list(path(x.astype(np.float32), y, [0.1, 0.001])) for _ in range(2))
    assert all(torch.equal(a.weights, b.weights) and a.gradient == b.gradient for a, b in zip(one, two, strict=True))


def test_a_single_class_is_always_predicted():
    (fit,) = path(np.ones((5, 2)), np.full(5, 3), [1.0])
    assert fit.predict(np.zeros((4, 2))).tolist() == [3] * 4 and fit.gradient == 0
