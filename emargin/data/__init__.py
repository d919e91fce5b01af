"""Data sets: one module a source, all returning recordings; `loading.load` makes a framed, split Dataset of them."""
