# Everything the project does, as short commands; `make` alone lists them. Needs Python >= 3.11.5, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# One thread: the tensors of the quick profile are small, so a second one gains nothing, and sums come out the same on
# machines with any number of cores.
export OMP_NUM_THREADS ?= 1
PAGES := _config.yml _toc.yml book emargin $(wildcard results) # of emargin, the lines that a page shows

# What `make reproduce` runs, and where its rows go: how many jobs at once, cells a job, Snakemake's profile, and GPU=1
# for a GPU a job on a cluster. Snakemake has an environment of its own, since some of its pins are older than ours.
GRID = workflow/grid.json
OUT = results/grid
JOBS = $(shell getconf _NPROCESSORS_ONLN)
CELLS = 1
GPU = 0
PROFILE = workflow/profiles/default
WORKFLOW := $(VENV)/workflow

.PHONY: help env test book html pdf audit-book notebooks lint check-long mutants audit bench reproduce reproduce-quick clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(STAMP) ## Create or update the environment in .venv (the other commands do it first)

# The stamp is removed first and touched last: what an interruption leaves behind is built anew from nothing, while a
# complete environment is updated in place, which needs no network where the pins have not changed.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5) and "Python 3.11.5 or newer is needed, and $(PYTHON) is " \
	  + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	@if [ -e $@ ]; then rm $@; else $(PYTHON) -m venv --clear $(VENV); fi
	$(BIN)/python -m pip install --quiet --constraint requirements.lock "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

test: $(STAMP) ## Run the tests, the examples in docstrings, and every notebook against its outputs; on simulators alone
	mkdir -p _build/no-data
	EMARGIN_DATA="$(CURDIR)/_build/no-data" $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile \
	  --doctest-modules --nbval --nbval-current-env tests emargin notebooks

check-long: $(STAMP) ## Run the tests that take minutes or hours: every method at full size, real data
	$(BIN)/python -m pytest -m long tests

mutants: $(STAMP) ## See whether the tests notice small faults: 300 of them, drawn, in an hour at most (MUTANTS="--seed 2")
	$(BIN)/python -m companion.bench.mutants $(MUTANTS)

reproduce: $(WORKFLOW)/.complete ## Run what is missing or stale of a grid (GRID=, OUT=, JOBS=)
	@$(BIN)/python -m companion.grid.reproduce "$(GRID)" --out "$(OUT)" --jobs $(JOBS) --cells $(CELLS) --gpu $(GPU) \
	  --profile "$(PROFILE)" --snakemake $(WORKFLOW)/bin/snakemake

reproduce-quick: ## The same on the simulators, small, in minutes: every method in both fidelities, into runs/quick
	@$(MAKE) --no-print-directory reproduce GRID=workflow/quick.json OUT=runs/quick CELLS=6

$(WORKFLOW)/.complete: workflow/requirements.lock | $(STAMP)
	@rm -f $@
	$(PYTHON) -m venv --clear $(WORKFLOW)
	$(WORKFLOW)/bin/python -m pip install --quiet --requirement workflow/requirements.lock
	@touch $@

audit: $(STAMP) ## Compare other code with this module's: make audit RELEASED=path, CHECKOUTS=folder (it runs that code)
	$(BIN)/python -m companion.audit --released "$(RELEASED)" --checkouts "$(CHECKOUTS)"

bench: $(STAMP) ## Time and memory: of losses, a cell and training together, for the page "Speed"; of every step
	env -u OMP_NUM_THREADS $(BIN)/python -m companion.bench.losses --out results/benchmarks/losses.json
	env -u OMP_NUM_THREADS $(BIN)/python -m companion.bench.cell --out results/benchmarks/cell.json
	env -u OMP_NUM_THREADS $(BIN)/python -m companion.bench.together --steps 20 --rounds 3 --out results/benchmarks/together.json
	env -u OMP_NUM_THREADS $(BIN)/python -m companion.bench.steps

book: $(STAMP) ## Execute the notebooks and build the book: _build/html/index.html
	rm -rf _build/source/notebooks
	$(BIN)/python -m companion.book.notebooks _build/source/notebooks
	@$(MAKE) --no-print-directory html

# The warnings of an unchanged page are not given again by a later build, so each build starts from nothing.
html: $(STAMP) ## Build the book again from the notebooks that `make book` executed last
	rm -rf _build/html _build/.doctrees $(addprefix _build/source/,$(PAGES))
	mkdir -p _build/source
	cp -R $(PAGES) _build/source
	$(BIN)/python -m companion.charts _build/source/book/_static/charts
	$(BIN)/python -m companion.book.links _build/source/_config.yml
	$(BIN)/python -m companion.book.pictures _build/source
	$(BIN)/jupyter-book build _build/source --path-output . -n -W --keep-going
	$(BIN)/python -m companion.book.check_book _build/html

pdf: $(STAMP) ## Print the pages that are read in order, and the report, after `make book`: _build/*.pdf (needs Chromium)
	$(BIN)/jupyter-book build _build/source --path-output _build/single --builder singlehtml
	$(BIN)/python -m companion.book.pdf _build/single/_build/singlehtml _build/emargin.pdf
	$(BIN)/python -m companion.book.pdf _build/single/_build/singlehtml _build/report.pdf book/report

audit-book: $(STAMP) ## Open every page of the built book in a browser: errors, names, widths, sizes (needs npm and Chromium)
	$(BIN)/python -m companion.book.audit_book _build/html

notebooks: $(STAMP) ## Execute the notebooks in place: the only way to refresh the committed outputs
	$(BIN)/python -m companion.book.notebooks notebooks

lint: $(STAMP) ## Check style, format and docstrings with ruff, and the module's types with mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

clean: ## Remove what was built, and keep the environment, the data and the runs
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -path ./$(VENV) -prune -o -path ./data -prune -o -name __pycache__ -type d -exec rm -rf {} +
