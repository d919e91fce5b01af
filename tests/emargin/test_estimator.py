"""The transformer of scikit-learn: its own checks, pipelines, cross-validation by groups, and bad input."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from emargin import EMarginEncoder
from emargin.data.framing import stft_frames
from emargin.errors import InputError

# None fails. scikit-learn itself skips those that need what is not here:
SKIPPED = {"check_array_api_input": "it wants SCIPY_ARRAY_API set, for arrays that are not numpy's"}
FEW = EMarginEncoder(iterations=3)  # the checks' tables have rows of 2 to 10 samples
CHECKS = [check for _, check in estimator_checks_generator(FEW)]


def waves(number=12, channels=2, samples=300):
    """Recordings of two classes, a slow and a fast sine in noise; classes in turn, and four people in turn of each."""
    draws = np.random.default_rng(0)
    classes = np.arange(number) % 2
    sines = np.sin(np.arange(samples) * (0.2 + classes[:, None, None]) + np.arange(channels)[:, None])
    return sines + 0.3 * draws.standard_normal((number, channels, samples)), classes, np.arange(number) // 2 % 4


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.func.__name__)
@pytest.mark.filterwarnings("ignore")
def test_it_passes_the_checks_of_scikit_learn(check):
    name = check.func.__name__
    try:
        check(clone(FEW))
    except Exception as error:
        if type(error).__name__ != "SkipTest":
            raise
        assert name in SKIPPED, f"{name} was skipped: {error}"


def test_the_checks_are_those_of_transformers_and_not_a_few():
    names = {check.func.__name__ for check in CHECKS}
    wanted = {"check_transformer_general", "check_methods_subset_invariance", "check_estimators_nan_inf"}
    wanted |= {"check_fit_idempotent", "check_estimators_pickle", "check_n_features_in", "check_fit2d_1sample"}
    assert wanted <= names and len(names) >= 40


def test_arrays_and_lists_of_the_same_recordings_give_the_same_embeddings():
    X, _, _ = waves()
    array = EMarginEncoder(iterations=5).fit(X)
    listed = EMarginEncoder(iterations=5).fit(list(X))
    embedding = array.transform(X)
    assert embedding.shape == (12, 320) and embedding.dtype == np.float32
    np.testing.assert_array_equal(embedding, listed.transform(list(X)))
    np.testing.assert_array_equal(embedding[3:4], array.transform(X[3:4]))
    assert array.n_features_in_ == 2 and len(array.get_feature_names_out()) == 320


def test_recordings_may_differ_in_length():
    X, _, _ = waves()
    unequal = [each[:, : 300 - 20 * number] for number, each in enumerate(X)]
    estimator = EMarginEncoder(window=20, iterations=5).fit(unequal)
    frames = estimator.transform_frames(unequal)
    assert [len(each) for each in frames] == [(300 - 20 * number - 20) // 10 + 1 for number in range(12)]
    np.testing.assert_array_equal(estimator.transform(unequal), [each.mean(0) for each in frames])
    held = np.empty(12, dtype=object)
    held[:] = unequal
    np.testing.assert_array_equal(estimator.transform(held), estimator.transform(unequal))


def test_frames_are_embedded_by_the_method_on_standardised_frames():
    X, _, _ = waves()
    estimator = EMarginEncoder(window=20, sequence_length=29, iterations=5).fit(X)
    frames = torch.stack([stft_frames(each.T, 20, 10) for each in X])
    table = frames.flatten(0, 1).double()
    standardised = ((frames.double() - table.mean(0)) / table.std(0, correction=0)).float()
    with torch.no_grad():
        wanted = estimator.encoder_.method.encode(standardised)
    np.testing.assert_allclose(estimator.transform_frames(X), wanted, rtol=1e-3, atol=1e-4)


def test_the_window_is_a_second_or_follows_from_the_shortest_recording():
    X, _, _ = waves()
    settings = [{"rate": 25.2}, {}, {"window": 30}, {"window": 30, "hop": 5}]
    fitted = [EMarginEncoder(iterations=1, **each).fit(X).encoder_.experiment for each in settings]
    assert [(each.n_fft, each.hop) for each in fitted] == [(25, 12), (37, 18), (30, 15), (30, 5)]


def test_parameters_reach_the_training():
    X, _, _ = waves()
    usual = EMarginEncoder(iterations=5).fit(X)
    assert usual.encoder_.experiment.method == "emargin" and len(usual.curve_) == 1
    others = [{"seed": 2}, {"method": "infonce"}, {"fidelity": "original"}, {"settings": {"margin": 1.0}}]
    others += [{"temperature": 1.0}, {"iterations": 6}, {"encoder": "context-small"}, {"sequence_length": 8}]
    for other in others:
        embedding = clone(usual).set_params(**other).fit(X).transform(X)
        assert not np.array_equal(embedding, usual.transform(X)), other
    np.testing.assert_array_equal(clone(usual).fit(X).transform(X), usual.transform(X))


def test_it_works_in_a_pipeline_and_in_cross_validation_by_groups():
    X, classes, people = waves(24)
    pipeline = make_pipeline(EMarginEncoder(iterations=20), LogisticRegression())
    assert pipeline.fit(X, classes).score(X, classes) == 1
    for recordings in (X, list(X)):
        scores = cross_val_score(pipeline, recordings, classes, groups=people, cv=GroupKFold(4))
        assert scores.tolist() == [1, 1, 1, 1]
    rng = np.random.default_rng(1)
    shuffled = cross_val_score(pipeline, X, rng.permutation(classes), groups=people, cv=GroupKFold(4))
    assert shuffled.mean() < 0.9


X, _, _ = waves()


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        (X[:1], "found: 1 sample. wanted: 2 recordings or more"),
        ([X[0], X[1, :1]], "recording 1 has another number of channels. found: 1. wanted: 2"),
        ([X[0], np.where(np.arange(300) == 7, np.nan, X[1])], "recording 1: values .* found: 2 NaN or inf"),
        (X * 1e39, "recording 0: values .* single precision"),
        ([X[0, 0], X[1, 0, :290]], "differ in length. found: 290 to 300 values.* give each as .channels, samples"),
        ([X[0], X[1, :, :3]], "recording 1 is shorter than a frame. found: 3 samples"),
    ],
    ids=["one sample", "unequal channels", "NaN", "too large", "unequal rows", "too short"],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_recordings_that_cannot_be_used_are_refused(recordings, message):
    with pytest.raises(InputError, match=message):
        EMarginEncoder(window=20, iterations=1).fit(recordings)


def test_other_recordings_than_it_was_fitted_on_are_refused():
    estimator = EMarginEncoder(iterations=1).fit(X)
    with pytest.raises(InputError, match="another number of channels. found: 1. wanted: 2"):
        estimator.transform(X[:, :1])
    with pytest.raises(InputError, match="1 NaN or inf"):
        estimator.transform([np.where(np.arange(600).reshape(2, 300) == 7, np.inf, X[0])])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window": 0}, "window is out of range"),
        ({"hop": 2.5}, "hop has the wrong type"),
        ({"rate": float("nan")}, "rate is out of range"),
        ({"rate": 1000}, "shorter than a frame. found: 300 samples. wanted: window = 1000"),
        ({"sequence_length": 1000}, "no recording has a whole sequence. found: 15 frames in the longest"),
        ({"method": "emargn"}, "did you mean 'emargin'"),
        ({"method": "supervised", "fidelity": "original"}, "needs labelled training frames"),
        ({"settings": {"marginn": 1}}, "unknown parameter. found: 'marginn'"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        EMarginEncoder(**{"iterations": 1} | parameters).fit(X)


def test_recordings_in_another_unit_are_refused_unless_any_level_is_taken():
    X, _, _ = waves()
    fitted = EMarginEncoder(iterations=3).fit(X)
    for factor in (1e6, 1e-6):
        with pytest.raises(InputError, match="its values are far from those of the training.*any_level=True"):
            fitted.transform(factor * X)
    assert fitted.transform(3 * X).shape == (12, 320)
    assert fitted.set_params(any_level=True).transform(1e6 * X).shape == (12, 320)
