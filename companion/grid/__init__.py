"""The grid of experiments: its plan, its runner, and the store of its rows."""
