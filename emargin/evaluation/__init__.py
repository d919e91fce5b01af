"""Evaluation: clustering, probing, collapse diagnostics, t-SNE; each on features computed once."""
