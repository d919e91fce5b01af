"""t-SNE maps of embeddings (the paper's Figure 1)."""

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

ITERATIONS = 400  # 250 of them with early exaggeration; a thousand would lower the divergence by a few per cent


def tsne(embedding: np.ndarray, *, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """Map embeddings to two dimensions by t-SNE, starting from the first two principal components.

    Parameters
    ----------
    embedding : ndarray
        `(n, C)`.
    perplexity : float
        About how many neighbours of a row count, below n.
    seed : int

    Returns
    -------
    ndarray
        float64 `(n, 2)`.
    """
    with threadpool_limits(1):  # for some hundred points threads cost more time than they save
        return TSNE(perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed).fit_transform(embedding)
