"""t-SNE maps of embeddings (the paper's Figure 1)."""

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

ITERATIONS = 400  # of these 250 with early exaggeration; a thousand lower the divergence by a few per cent


def tsne(embedding: np.ndarray, *, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """Two-dimensional t-SNE map of `(n, C)`: float64 `(n, 2)`, started from the first two principal components."""
    with threadpool_limits(1):  # some hundred points: threads cost more than they bring
        return TSNE(perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed).fit_transform(embedding)
