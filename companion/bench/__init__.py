"""Time and memory of losses and cells, beside named baselines."""
