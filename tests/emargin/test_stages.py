"""The stages of cells reach all the code that runs for them, and each change of it concerns the cells that run it."""

import ast
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from emargin import stages
from emargin.config import Experiment
from emargin.data.loading import load
from emargin.encoders import ENCODERS
from emargin.evaluation import needs
from emargin.evaluation.scoring import score
from emargin.fingerprint import CHECK, METADATA, ROOT, Source, _defined, _parsed, fingerprint, reached
from emargin.methods import METHODS, REPAIRS
from emargin.resolve import resolve
from emargin.stages import (
    METRICS,
    SETTINGS,
    WITHOUT_NUMBERS,
    Metric,
    code_versions,
    differing,
    lacking,
    metrics_of,
    stages_of,
)
from emargin.training import train

QUICK = {"dataset": "sleepeeg-sim", "quick": True, "sequence_length": 50}
# What runs beside the numbers: the points of the training curve, which no row holds.
BESIDE = {
    "emargin.evaluation.collapse:mean_cosine",
    "emargin.evaluation.collapse:participation_ratio",
    "emargin.losses.cosines:unit_rows",
}
# What chooses the metrics and times them; what hands features to a metric is hashed.
GLUE = {f"emargin.evaluation.scoring:{name}" for name in ("Scores", "score", "timed")} | {
    "emargin.evaluation.needs:Counts",
    *(f"emargin.evaluation.needs:{name}" for name in dir(needs) if name.startswith(("of_", "_", "counts", "reasons"))),
    *(f"emargin.stages:{name}" for name in ("Metric", "clusters_alone", "metrics_of")),
}
# What decides values that the digest holds, or that the fingerprint takes by value.
DECIDING = {
    "emargin.config",
    "emargin.data.catalogue",
    "emargin.errors",
    "emargin.fields",
    "emargin.methods.__init__",
    "emargin.methods.declarations",
    "emargin.paths",
    "emargin.resolve",
}
CONFIGURATIONS = [
    (method, fidelity)
    for method in METHODS
    for fidelity in ("released", "original")
    if not (method in REPAIRS and fidelity == "released")
]
cell_of = cache(
    lambda method, fidelity, **fields: resolve(Experiment(**QUICK | fields, method=method, fidelity=fidelity))
)


@pytest.fixture(scope="module")
def data():
    return load(resolve(Experiment(**QUICK)))


def within_check(frame) -> bool:
    """Say whether code runs in a check, or in what one calls: it can stop a run, not change its numbers."""
    while frame:
        code, frame = frame.f_code, frame.f_back
        if code.co_filename.startswith(f"{ROOT / 'emargin'}/") and code.co_name.lstrip("_").startswith(CHECK):
            return True
    return False


@contextmanager
def executed(into: set[str]):
    """Collects the top-level definitions of the module whose code runs inside."""
    package = f"{ROOT / 'emargin'}/"

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(package) and not code.co_qualname.startswith("<"):
            module = ".".join(Path(code.co_filename).relative_to(ROOT).with_suffix("").parts)
            name = code.co_qualname.partition(".")[0]
            if module not in DECIDING and not within_check(frame):
                into.add(f"{module}:{name}")

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def reach(cell: Experiment, *names: str) -> set[str]:
    found = stages_of(cell)
    return set().union(*(reached(found[name]) for name in names)) | SETTINGS | WITHOUT_NUMBERS


@pytest.mark.parametrize(("method", "fidelity"), CONFIGURATIONS)
def test_all_code_that_trains_is_in_the_fingerprint(data, method, fidelity):
    steps = {} if METHODS[method].untrained else {"iterations": 2}
    cell, ran = resolve(Experiment(**QUICK | steps, method=method, fidelity=fidelity)), set()
    with executed(ran):
        train(cell, data, progress=False)
    assert ran - reach(cell, "train") <= BESIDE
    assert f"{METHODS[method].__module__}:{METHODS[method].__name__}" in reach(cell, "train")


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("method", ["random", "infonce", "ts2vec", "infots", "mfclr", "supervised"])
def test_all_code_of_an_encoder_is_in_the_fingerprint_of_its_cells_alone(data, method, encoder):
    asked = QUICK | {"method": method, "fidelity": "original", "batch_size": 4}
    steps = {} if METHODS[method].untrained else {"iterations": 2}
    cell, ran = resolve(Experiment(**asked | steps, encoder=encoder)), set()
    with executed(ran):
        train(cell, data, progress=False)
    assert ran - reach(cell, "train") <= BESIDE
    usual = reach(resolve(Experiment(**asked)), "train")
    assert "emargin.encoders:ContextEncoder" in reach(cell, "train") - usual
    assert ("emargin.encoders:SmallContextEncoder" in reach(cell, "train")) == (encoder == "context-small")
    assert not any("Context" in name or name.endswith(("ENCODERS", "of_sequences", "with_levels")) for name in usual)


@pytest.mark.parametrize(
    "fields",
    [
        {"reading": "pair"},
        {"reading": "all-pairs"},
        {"scope": "flattened"},
        {"margin": 200.0},
        {"threshold": 0.99},
    ],
    ids=str,
)
def test_all_code_of_emargin_s_settings_is_in_the_fingerprint(data, fields):
    cell, ran = resolve(Experiment(**QUICK, iterations=2, method="emargin", fidelity="original", **fields)), set()
    with executed(ran):
        train(cell, data, progress=False)
    assert ran - reach(cell, "train") <= BESIDE


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"protocol": "released"},
        {"surrogate": "phase"},
        {"surrogate": "frames"},
        {"split": "everyone"},
        {"dataset": "harth-sim"},
        {"dataset": "ecg-noise"},
        {"dataset": "sleepeeg-paper-sim", "sequence_length": None},
    ],
    ids=str,
)
def test_all_code_that_makes_data_is_in_the_fingerprint(fields):
    cell, ran = resolve(Experiment(**QUICK | fields)), set()
    with executed(ran):
        load(cell)
    assert ran <= reach(cell, "data")


@pytest.mark.parametrize(
    "fields", [{}, {"protocol": "released"}, {"method": "infots", "fidelity": "released", "iterations": 1}], ids=str
)
def test_all_code_that_scores_frames_is_in_the_fingerprint(fields):
    cell, ran = resolve(Experiment(**{**QUICK, "method": "random", **fields})), set()
    data = load(cell)
    method, _ = train(cell, data, progress=False)
    with executed(ran):
        score(cell, method, data)
    assert ran - GLUE <= reach(cell, "train", *METRICS)


def test_how_frames_are_clustered_alone_concerns_the_released_infots_and_its_clusters_alone():
    alone = stages.ALONE

    def asking(cell):
        return [name for name in METRICS if alone in reach(cell, name)]

    cells = [cell_of(method, fidelity) for method, fidelity in CONFIGURATIONS]
    found = {(cell.method, cell.fidelity): asking(cell) for cell in cells if asking(cell)}
    assert found == {("infots", "released"): ["clustering", "collapse"]}


def test_all_code_that_scores_series_is_in_the_fingerprint(ucr):
    cell, ran = resolve(Experiment(dataset=ucr, method="random")), set()
    data = load(cell)
    method, _ = train(cell, data, progress=False)
    with executed(ran):
        score(cell, method, data)
    assert ran - GLUE <= reach(cell, "train", *METRICS)


@cache
def tree(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))


class _Mutation(ast.NodeTransformer):
    """Leaves checks alone, which a fingerprint does not see."""

    def visit_Expr(self, node):
        called = getattr(node.value, "func", None)
        name = getattr(called, "attr", getattr(called, "id", ""))
        is_check = name.lstrip("_").startswith(CHECK)
        return node if is_check or isinstance(node.value, ast.Constant) else self.generic_visit(node)


class _Changed(_Mutation):
    """Changes the first constant, operator or call of a definition that can matter."""

    def __init__(self):
        self.done = False

    def generic_visit(self, node):
        return node if self.done else super().generic_visit(node)

    def visit_arguments(self, node):
        return node

    visit_Raise = visit_Assert = visit_JoinedStr = visit_arguments

    def visit_AnnAssign(self, node):
        if node.value:
            node.value = self.visit(node.value)
        return node

    def visit_FunctionDef(self, node):
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Assign(self, node):
        return node if METADATA & set(_defined(node)) else self.generic_visit(node)

    def visit_Constant(self, node):
        if not self.done:
            self.done = True
            node = ast.Constant((node.value, "changed"))
        return node

    def visit_BinOp(self, node):
        if not self.done:
            self.done = True
            node.op = ast.Pow() if isinstance(node.op, ast.Mult) else ast.Mult()
        return node

    def visit_Return(self, node):
        return self.generic_visit(node) if node.value else node


class _Renamed(_Changed):
    """Asks another attribute of an object."""

    def visit_Attribute(self, node):
        if not self.done:
            self.done = True
            node.attr += "_changed"
        return node


class _Swapped(_Mutation):
    """Swaps the last two arguments of the first call that has two."""

    done = False

    def visit_Call(self, node):
        if not self.done and len(node.args) > 1:
            self.done = True
            node.args[-2:] = reversed(node.args[-2:])
        return self.generic_visit(node)


def _with(module: str, text: ast.Module) -> Source:
    """The running code with another text of one module."""
    source = Source(ROOT)
    source.modules = RUNNING.modules | {module: _parsed(text, module)}
    return source


def representative_stages():
    """One stage of each kind that rows have."""
    for method, fidelity in CONFIGURATIONS:
        yield stages_of(cell_of(method, fidelity))["train"]
    for fields in (
        {},
        {"protocol": "released"},
        {"surrogate": "phase"},
        {"surrogate": "frames"},
        {"split": "everyone"},
        {"dataset": "harth-sim"},
        {"dataset": "ecg-noise"},
    ):
        yield stages_of(resolve(Experiment(**QUICK | fields)))["data"]
    for name in METRICS:
        for protocol in ("original", "released"):
            yield stages_of(cell_of("random", "original", protocol=protocol))[name]


def definitions() -> dict[str, list]:
    """Module -> (definition, the stages that reach it), over all that any stage reaches."""
    found = {}
    for stage in representative_stages():
        for place in reached(stage, RUNNING):
            found.setdefault(place, []).append(stage)
    modules = {}
    for place, reaching in sorted(found.items()):
        module, _, name = place.partition(":")
        modules.setdefault(module, []).append((name, reaching))
    return modules


RUNNING = Source(ROOT)
MODULES = definitions()


@pytest.mark.parametrize("module", MODULES)
def test_a_change_of_any_definition_changes_the_stages_that_run_it(module):
    changed = 0
    for name, reaching in MODULES[module]:
        text = ast.parse(ast.unparse(tree(module)))
        changes = (_Changed(), _Renamed(), _Swapped())  # the later ones where there is nothing in it but names
        for number, statement in enumerate(text.body):
            if name in _defined(statement):
                for change in changes:
                    if not any(earlier.done for earlier in changes):
                        statement = text.body[number] = change.visit(statement)
        if not any(change.done for change in changes):
            continue  # an alias
        source = _with(module, ast.fix_missing_locations(text))
        assert any(fingerprint(stage, source) != fingerprint(stage, RUNNING) for stage in reaching), name
        changed += 1
    assert changed


def edited(module: str, old: str, new: str) -> Source:
    """The running code with one replacement in one module's text."""
    text = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    assert old in text
    return _with(module, ast.parse(text.replace(old, new)))


class _Reworded(ast.NodeTransformer):
    """Says other words in errors and docstrings."""

    def visit_Raise(self, node):
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                part.value = "other words"
        return node

    def visit_FunctionDef(self, node):
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Say it otherwise."))
        return self.generic_visit(node)


def test_a_clean_up_of_the_whole_package_makes_nothing_stale(tmp_path):
    """Other words and layout, a package under another name, a module's file moved, a function that nothing calls."""
    shutil.copytree(ROOT / "emargin", tmp_path / "emargin", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "emargin" / "losses").rename(tmp_path / "emargin" / "objectives")
    (tmp_path / "emargin" / "optimiser.py").rename(tmp_path / "emargin" / "augmentations" / "adamw.py")
    for path in tmp_path.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace("emargin.losses", "emargin.objectives")
        text = text.replace("from emargin import losses", "from emargin import objectives as losses")
        text = ast.unparse(
            _Reworded().visit(ast.parse(text.replace("emargin.optimiser", "emargin.augmentations.adamw")))
        )
        path.write_text(f"{text}\n\ndef nothing_calls_this(x):\n    return x + 1\n", encoding="utf-8")
    layout = ["--isolated", "--line-length", "60", "--config", "format.quote-style = 'single'"]
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", *layout, str(tmp_path)], check=True)
    before = {stage: fingerprint(stage, RUNNING) for stage in representative_stages()}
    copy = Source(tmp_path)
    assert len(before) > 40
    assert [stage.roots for stage in before if fingerprint(stage, copy) != before[stage]] == []


def changed_methods(source: Source) -> set[str]:
    return {
        f"{method} {fidelity}"
        for method, fidelity in CONFIGURATIONS
        if fingerprint(stages_of(cell_of(method, fidelity))["train"], source)
        != fingerprint(stages_of(cell_of(method, fidelity))["train"])
    }


def test_a_constant_of_a_loss_concerns_the_methods_that_use_it():
    source = edited("emargin.losses.margin", "RELEASED_SCALE = 0.05", "RELEASED_SCALE = 0.06")
    assert changed_methods(source) == {"emargin released", "emargin-vicreg original", "emargin-labels original"}


def test_a_method_s_file_concerns_the_method_alone():
    source = edited("emargin.methods.simmtm", "COPIES = 3", "COPIES = 4")
    assert changed_methods(source) == {"simmtm released", "simmtm original"}


def test_restarts_of_k_means_concern_what_clusters_alone():
    cell = cell_of("emargin", "released")
    source = edited("emargin.evaluation.clustering", "KMEANS_RESTARTS = 1, 10", "KMEANS_RESTARTS = 1, 9")
    now, then = code_versions(cell), code_versions(cell, source)
    assert [stage for stage in now if now[stage] != then[stage]] == ["clustering", "dial"]
    assert differing(cell, then) == ["clustering", "dial"]


def test_which_side_a_metric_gets_concerns_every_metric():
    cell = cell_of("emargin", "released")
    source = edited(
        "emargin.evaluation.scoring", "experiment, dataset, train, test)\n", "experiment, dataset, test, train)\n"
    )
    assert differing(cell, code_versions(cell, source)) == list(METRICS)


def test_a_new_metric_makes_nothing_stale_and_is_lacking(monkeypatch):
    cell = cell_of("emargin", "released")
    made_by = code_versions(cell)
    entry = Metric(("hubness",), "emargin.evaluation.collapse:uniformity", grids=("grid", "ucr"))
    monkeypatch.setitem(METRICS, "hubness", entry)
    assert differing(cell, made_by) == []
    assert lacking(made_by, "grid") == ["hubness"] and lacking(made_by, "sweeps") == lacking(made_by) == []
    monkeypatch.setitem(METRICS, "hubness", replace(entry, grids=None))
    assert lacking(made_by, "sweeps") == ["hubness"]


def test_grids_of_the_chosen_probe_have_it_in_place_of_the_converged_one():
    usual, fresh = {"clustering", "collapse", "probe", "converged", "knn", "mlp"}, {"certified", "chosen", "whitened"}
    for grid in ("core", "encoders", "beats"):
        assert set(metrics_of(grid)) == usual - {"converged"} | fresh
    for grid in ("grid", "ucr", "sweeps", "controls", None):
        assert set(metrics_of(grid)) == usual


def test_cells_of_the_dial_have_the_dial_and_what_it_turns():
    assert set(metrics_of("dial")) == {"clustering", "collapse", "probe", "dial"}


def test_cells_of_label_budgets_have_them_and_the_paper_s_probe():
    assert set(metrics_of("budgets")) == {"clustering", "collapse", "probe", "budgets"}


def test_no_row_of_a_grid_without_it_lacks_the_chosen_probe():
    made_by = dict.fromkeys(("clustering", "collapse", "probe", "converged", "knn", "mlp"), "")
    assert lacking(made_by, "grid") == [] and lacking(made_by, "core") == ["certified", "chosen", "whitened"]


def test_a_metric_s_function_counts_for_each_metric_that_reaches_it(monkeypatch):
    cell, source = cell_of("emargin", "released"), edited("emargin.evaluation.collapse", "pdist", "cdist")
    monkeypatch.setitem(METRICS, "evenness", Metric(("evenness",), "emargin.evaluation.collapse:uniformity"))
    now, then = code_versions(cell), code_versions(cell, source)
    assert [stage for stage in now if now[stage] != then[stage]] == ["collapse", "evenness"]


def test_rows_without_a_training_s_code_rest_on_nothing():
    cell = cell_of("emargin", "released")
    assert differing(cell, {}) == ["data", "train"]


def test_a_setting_of_the_data_set_is_part_of_its_fingerprint(monkeypatch):
    cell = cell_of("emargin", "released")
    before = code_versions(cell)
    other = stages.settings_of("harth-sim")
    monkeypatch.setattr(stages, "settings_of", lambda name: other)
    assert code_versions(cell)["data"] != before["data"]


def test_a_reader_concerns_the_data_sets_that_it_reads(monkeypatch, tmp_path):
    monkeypatch.setenv("EMARGIN_DATA", str(tmp_path))
    rhythms = edited("emargin.data.readers.rhythms", "UNLABELLED", "FIRST")
    names = ("mitbih", "ecg", "dsads", "harth", "sleepeeg")
    cells = {name: resolve(Experiment(dataset=name, source="real")) for name in names}
    changed = {
        name for name, cell in cells.items() if code_versions(cell, rhythms)["data"] != code_versions(cell)["data"]
    }
    assert changed == {"mitbih", "ecg"}


def test_what_is_left_out_is_there():
    names = SETTINGS | WITHOUT_NUMBERS | stages.METHOD
    assert [name for name in names if RUNNING.find(name)[0] is None] == []


def test_what_a_set_joins_counts_in_its_rows_of_protocol_released_alone():
    joins = "emargin.data.recordings:joined_by_person"
    for dataset, protocol, counts in (
        ("harth-sim", "released", True),
        ("harth-sim", "original", False),
        ("ecg-sim", "released", False),
    ):
        stage = stages_of(resolve(Experiment(dataset=dataset, protocol=protocol)))["data"]
        assert (joins in reached(stage)) == counts
        assert "joined" not in stage.value  # or rows of the other protocol would depend on it
