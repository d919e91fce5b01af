"""Measures of frozen embeddings `(n, C)`: other clusterings, rank, likeness of two, and whether people are recognised.

They ask whether a finding is one of the embedding or of the metric. Each returns numbers by name; those of clusterings
are lists of lines, since the same scores belong to several features and numbers of clusters.
"""

import warnings

import numpy as np
import torch
from scipy.stats import linregress
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from emargin.evaluation.clustering import KMEANS_SEED, partition, scores
from emargin.evaluation.collapse import participation_ratio

LEAST = 1e-6  # of the largest variance: directions below it are rounding, and are not whitened
COMPONENTS = 16  # leading ones that mixtures and densities are fitted in
MIXTURES, STEPS = 3, 300  # fits of a mixture, the best of which is kept; steps of each at most
SMALLEST = 0.01  # share of the rows that a cluster of HDBSCAN has at least
EPSILON = 1e-7  # of RankMe
FIRST, LAST = 3, 50  # eigenvalues that the power law is fitted to, counted from 1
HALF = 0.4  # of a person's frames of a class, at both ends in time: to learn from, and to test on


def features_of(embedding: np.ndarray) -> dict[str, np.ndarray]:
    """Return the embedding as it is, "raw", and three times changed, float64 `(n, C)`.

    "standardised": each coordinate has mean 0 and variance 1; a constant one stays 0. "whitened": coordinates along the
    principal components, each with variance 1, without those of less than 1e-6 of the largest variance; K-means sees no
    shape of the covariance then. "unit": each row has length 1, so that distances are cosines; a row of zeros stays.
    """
    raw = np.asarray(embedding, np.float64)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    values, directions = np.linalg.eigh(np.cov(raw, rowvar=False, ddof=0).reshape(raw.shape[1], raw.shape[1]))
    kept = values > LEAST * max(values[-1], np.finfo(float).tiny)
    whitened = (raw - raw.mean(0)) @ directions[:, kept] / np.sqrt(values[kept])
    return {
        "raw": raw,
        "standardised": StandardScaler().fit_transform(raw),
        "whitened": whitened if kept.any() else np.zeros((len(raw), 1)),
        "unit": np.divide(raw, lengths, out=np.zeros_like(raw), where=lengths > 0),
    }


def clusterings(embedding: np.ndarray, labels: np.ndarray, n_classes: int) -> list[dict]:
    """Cluster in several ways; return lines with "measure", "features", "k", "score", "value".

    "kmeans": `evaluation.clustering.partition` on all of `features_of`, k the number of classes; on "raw" also with
    half and twice as many. "mixture": Gaussians with full covariances in the 16 leading principal components, scaled by
    the largest; "converged" is 1 where the best of three fits ended within 300 steps. "hdbscan": clusters of at least a
    hundredth of the rows there (Campello, Moulavi and Sander, PAKDD 2013), k what it finds; "noise" is the share of
    rows in none, which are one cluster more for "nmi" and "ari", and are left out of the others. Scores are those of
    `evaluation.clustering.scores`. "classes": the silhouette of the true classes on all features.
    labels: true classes, int `(n,)`.
    """
    features, lines = features_of(embedding), []
    for name, rows in features.items():
        numbers = {n_classes, max(2, n_classes // 2), 2 * n_classes} if name == "raw" else {n_classes}
        for k in sorted(numbers):
            lines += _lines("kmeans", name, k, scores(rows, labels, partition(rows, k)))
        lines += _lines("classes", name, n_classes, {"silhouette": _silhouette(rows, labels)})
    leading = _leading(features["raw"])
    mixture = GaussianMixture(n_classes, n_init=MIXTURES, max_iter=STEPS, reg_covar=LEAST, random_state=KMEANS_SEED)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a line says it
        values = scores(leading, labels, mixture.fit_predict(leading)) | {"converged": float(mixture.converged_)}
        lines += _lines("mixture", "leading", n_classes, values)
        found = HDBSCAN(min_cluster_size=max(2, int(SMALLEST * len(leading))), copy=True).fit_predict(leading)
    inside, k = found >= 0, int(found.max()) + 1
    values = scores(leading, labels, found)
    if inside.any():
        of_clustered = scores(leading[inside], labels[inside], found[inside])
        values |= {name: of_clustered[name] for name in ("davies_bouldin", "silhouette", "calinski_harabasz")}
    return lines + _lines("hdbscan", "leading", k, values | {"noise": float(1 - inside.mean())})


def _lines(measure: str, features: str, k: int, values: dict[str, float]) -> list[dict]:
    return [
        {"measure": measure, "features": features, "k": k, "score": name, "value": value}
        for name, value in values.items()
    ]


def _silhouette(rows: np.ndarray, labels: np.ndarray) -> float:
    return float(silhouette_score(rows, labels)) if 1 < len(np.unique(labels)) < len(rows) else float("nan")


def _leading(rows: np.ndarray) -> np.ndarray:
    """Return the leading principal components, the largest with variance 1, `(n, 16)` at most."""
    components = PCA(min(COMPONENTS, *rows.shape), svd_solver="full").fit_transform(rows)
    spread = components[:, 0].std()
    return components / spread if spread > 0 else components


def spectrum(embedding: np.ndarray) -> dict[str, float]:
    """Return three readings of the spectrum.

    "participation_ratio": `evaluation.collapse.participation_ratio`, of the covariance. "rankme": the exponential of
    the entropy of the singular values s of the rows as they are, not centred,

        exp(-sum_j p_j log p_j),   p_j = s_j / sum(s) + 1e-7

    (Garrido et al., ICML 2023, equation 1). "alpha_req": the exponent a of a power law lambda_j ~ j^-a, fitted by least
    squares to log eigenvalues of the covariance over log j, for j from 3 to 50 as far as eigenvalues are above 1e-12 of
    the largest (Agrawal et al., NeurIPS 2022, who leave the first out, too); NaN with fewer than five of them. The
    steeper the spectrum, the larger a; they find a near 1 best.
    """
    rows = np.asarray(embedding, np.float64)
    singular = np.linalg.svd(rows, compute_uv=False)
    shares = singular / max(singular.sum(), np.finfo(float).tiny) + EPSILON
    values = np.linalg.eigvalsh(np.cov(rows, rowvar=False, ddof=0).reshape(rows.shape[1], rows.shape[1]))[::-1]
    places = np.arange(1, len(values) + 1)
    kept = (places >= FIRST) & (places <= LAST) & (values > 1e-12 * max(values[0], np.finfo(float).tiny))
    slope = linregress(np.log(places[kept]), np.log(values[kept])).slope if kept.sum() >= 5 else np.nan
    return {
        "participation_ratio": participation_ratio(torch.from_numpy(rows)),
        "rankme": float(np.exp(-(shares * np.log(shares)).sum())),
        "alpha_req": float(-slope),
    }


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Return the linear centred kernel alignment of two embeddings of the same rows, `(n, C)` and `(n, D)`.

    From 0 to 1, where one is the other turned, reflected, shifted, or scaled as a whole. Between features, which is
    cheap where n is larger than C and D (Kornblith et al., ICML 2019, section 3):

        |Y'X|^2 / (|X'X| |Y'Y|)   with centred X, Y and Frobenius norms; NaN where one is constant
    """
    x, y = (rows - rows.mean(0) for rows in (np.asarray(first, np.float64), np.asarray(second, np.float64)))
    own = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / own) if own > 0 else float("nan")


def people_recognised(embedding: np.ndarray, labels: np.ndarray, people: np.ndarray, most: int) -> dict[str, float]:
    """Return how well a linear probe recognises people from frames of the training side.

    Of each person and class the first two fifths of the frames in time are learned from, the last two fifths tested on;
    the fifth between keeps neighbours apart. Both sides hold the same classes of each person, so only what lasts over
    time tells people apart. The probe is logistic regression, class-balanced, C = 1, on standardised features.

    embedding: `(n, C)`, in time. labels, people: int `(n,)`. most: frames of each side, the same number of each person
    and class as far as they have them, spread evenly. Groups of fewer than five frames are left out, and so are people
    without another group.

    "balanced_accuracy": of people. "chance": one over their number. "leakage": (balanced accuracy - chance) /
    (1 - chance), 0 for a guess, 1 for every frame. All NaN where fewer than two people are told apart. "n": frames
    tested.
    """
    groups = [np.flatnonzero((people == p) & (labels == c)) for p in np.unique(people) for c in np.unique(labels)]
    groups = [rows for rows in groups if len(rows) >= 5]
    n_people = len({people[rows[0]] for rows in groups})
    if n_people < 2:
        return dict.fromkeys(("balanced_accuracy", "chance", "leakage"), float("nan")) | {"n": 0}
    each = max(1, most // len(groups))
    sides = [(rows[: int(HALF * len(rows))], rows[-int(HALF * len(rows)) :]) for rows in groups]
    train, test = (
        np.concatenate([rows[np.linspace(0, len(rows) - 1, min(each, len(rows))).astype(int)] for rows in side])
        for side in zip(*sides, strict=True)
    )
    scaler = StandardScaler().fit(embedding[train])
    with threadpool_limits(1):
        probe = LogisticRegression(class_weight="balanced", max_iter=1000).fit(
            scaler.transform(embedding[train]), people[train]
        )
        found = balanced_accuracy_score(people[test], probe.predict(scaler.transform(embedding[test])))
    chance = 1 / n_people
    leakage = float((found - chance) / (1 - chance))
    return {"balanced_accuracy": float(found), "chance": chance, "leakage": leakage, "n": len(test)}
