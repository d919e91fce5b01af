"""Grids of experiments, from a file of cells to committed rows: plan -> run -> collect.

- `plan`: a grid file (`workflow/*.json`) is read into cells, each an `Experiment`. A plan compares them with a store by
  content, the code and the data behind each row, and says what is done and what is ahead.
- `runner`: runs a cell in a folder of its own, `runs/cells/DIGEST-CODE/`, under a lock; killed, it goes on from there.
  Who loops over cells: `run_grid` in one process, or Snakemake's jobs, each with a few cells.
- `reproduce`: starts Snakemake on what a plan has ahead; `make reproduce` calls it.
- `store`: the table of results, `results/NAME/`: rows, a record a cell, small arrays. Finished cells are collected into
  it, and all pages read from it. Stores of two machines merge.
- `check`: sets a run beside the committed cell of the same digest.
- `choose`: picks settings from rows of cells with `split="validation"`.
"""
