"""The audit: its numbers, the ledger's form, and the command on a small folder in place of the released code."""

import ast
import copy
import math
import re
import shutil
import subprocess

import nbformat
import numpy as np
import pytest

from companion.audit import __main__ as command
from companion.audit import differences as audit
from companion.audit import ledger as ledger_module
from companion.audit.released import compare, difference
from companion.book.notebooks import ROOT, notebooks
from companion.figures.ledger import GRADES, STATUSES, counts, evidence, ledger_html, place_link
from emargin.errors import InputError
from emargin.evaluation.clustering import cluster

LEDGER = ledger_module.read_ledger()
ITEMS = LEDGER["items"]

CONTRASTIVE = """
import einops
from torchvision import transforms
from emargin.losses import emargin_released, info_nce
from emargin.methods.infots import global_loss

crop = transforms.Compose([transforms.ToTensor()])


class HATCL_LOSS:
    sides, off = 1, 0.0

    def __init__(self, temperature):
        self.temperature = temperature

    def __call__(self, rows):
        value = info_nce(rows[None], temperature=self.temperature, sides=self.sides, scope="flattened")
        return value + self.off


class LS_HATCL_LOSS(HATCL_LOSS):
    sides, off = 2, 0.5


class MARGIN_LOSS:
    sides = 1

    def __init__(self, temperature, margin):
        self.settings = {"temperature": temperature, "margin": margin}

    def __call__(self, rows, labels):
        loss, negative = emargin_released(rows[None], labels, sides=self.sides, **self.settings)
        return loss + (float("nan") if negative > 0 else 0.0)


class LS_MARGIN_LOSS(MARGIN_LOSS):
    sides = 2


def local_infoNCE(one, two, k):
    raise RuntimeError("no local loss here")


def global_infoNCE(one, two):
    return global_loss(one, two)
"""
LABELS = """
import cmat
import torchmetrics
import wandb
from emargin.pseudo_labels import pseudo_labels

open("log.txt", "w").close()


def check_next_two_elements_tensor_double(frames, threshold):
    frames += 0
    return pseudo_labels(frames, threshold=threshold, rule="released", wrap=True).float()
"""


def write(folder, **texts):
    for name, text in {"src/losses/contrastive.py": CONTRASTIVE, "baselines/emargin.py": LABELS, **texts}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf8")
    return folder


def small_ledger(commit="0" * 40):
    place = {"file": "src/losses/contrastive.py", "function": "HATCL_LOSS.__call__", "lines": [16, 18]}
    return {"repository": "https://example.org/repository", "commit": commit, "items": [{"id": 1, "where": [place]}]}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("d4", [(0.5 * 25 / 0.05, 0.05 * 0.5 * 25 / 0.05)]),
        # 64 terms exp(12.5) less the positive exp(0), over exp(0)
        ("d5", [(math.log(62), math.log(64 * math.exp(12.5) - 1))]),
        ("d7", [(1, 0)]),
        ("d12", [(1, 118)]),
        ("d14", [(2, 0)]),
        ("d31", [(50_176, 647_168)]),
        ("d32", [(0, 0.01)]),
        ("d33", [(252, 1502), (1, 6), (972, 162)]),
        ("d34", [(50, (10_000 - 178) // 178 + 1)]),
        ("d36", [(0, 4)]),
        ("d37", [(1, 5)]),
        ("d38", [(0, 7)]),
        ("d41", [(0, 2)]),
        ("d46", [(1, 50)]),
    ],
)
def test_numbers_worked_by_hand(item, expected):
    found = getattr(audit, item)()
    assert [(row.paper, row.released) for row in found] == [pytest.approx(pair, rel=1e-9) for pair in expected]
    assert {row.item for row in found} == {item.upper()}


def test_a_flattened_batch_has_pairs_across_its_seams_and_another_loss():
    pairs, loss = audit.d10()
    assert (pairs.paper, pairs.released) == (0, 7)
    unit = audit.normal(4, 10, 8).numpy()
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)

    def one_sided(rows):
        s = rows @ rows.T / 0.5
        return [
            np.log(sum(np.exp(s[t, k]) for k in range(len(s)) if k not in (t, t + 1))) - s[t, t + 1]
            for t in range(len(s) - 1)
        ]

    assert loss.paper == pytest.approx(np.mean([one_sided(rows) for rows in unit]), rel=1e-12)
    assert loss.released == pytest.approx(np.mean(one_sided(unit.reshape(40, 8))), rel=1e-12)


def test_features_without_calibrated_statistics_are_several_times_smaller():
    (row,) = audit.d15()
    assert 0.5 < row.paper < 1.0 and 3 < row.paper / row.released < 20


def test_draws_after_a_training_that_used_the_generator_share_what_chance_leaves():
    (row,) = audit.d49()
    assert row.paper == 1000 and 140 < row.released < 260  # 1000 * 1000 / 5000, give or take five deviations


def test_kmeans_refuses_nan_so_the_released_scores_would_be_zeros():
    embedding = np.full((20, 3), np.nan)
    with pytest.raises(ValueError, match="NaN"):
        cluster(embedding, np.zeros(20), 2)


def test_the_differences_are_those_that_the_ledger_cites():
    found = audit.differences()
    cited = {entry.partition(":")[2] for item in ITEMS for entry in item["confirmed_by"] if entry.startswith("audit:")}
    assert {row.item.lower() for row in found} == cited
    assert all(row.paper != row.released for row in found)
    numbers = [int(row.item[1:]) for row in found]
    assert numbers == sorted(numbers)


def test_items_are_numbered_without_gaps_and_complete():
    assert [item["id"] for item in ITEMS] == list(range(1, 50))
    for item in ITEMS:
        assert item["grade"] in GRADES and item["status"] in STATUSES
        for field in ("title", "paper", "released", "effect"):
            assert item[field].strip(), f"D{item['id']}: {field}"
        assert ("reason" in item) == (item["status"] != "confirmed"), f"D{item['id']}: a reason, or none"


def test_every_item_has_places_with_lines_at_the_commit():
    assert re.fullmatch("[0-9a-f]{40}", LEDGER["commit"])
    for item in ITEMS:
        assert item["where"] or item["released"].startswith("No code is concerned"), f"D{item['id']}"
        for place in item["where"]:
            first, last = place["lines"]
            assert 1 <= first <= last, f"D{item['id']}"
            assert f"/blob/{LEDGER['commit']}/{place['file']}#L{first}-L{last}" in place_link(LEDGER, place)


def test_what_confirms_an_item_exists():
    cells = {path.stem: {cell["id"] for cell in nbformat.read(path, as_version=4).cells} for path in notebooks()}
    for item in ITEMS:
        assert item["confirmed_by"] or item["status"] != "confirmed", f"D{item['id']}"
        for entry in item["confirmed_by"]:
            kind, _, what = entry.partition(":")
            if kind == "page":
                page, _, cell = what.partition("/")
                assert cell in cells.get(page, ()), f"D{item['id']}: {entry}"
            elif kind == "test":
                file, _, name = what.partition("::")
                body = ast.parse((ROOT / file).read_text(encoding="utf8")).body
                assert name in {getattr(node, "name", None) for node in body}, f"D{item['id']}: {entry}"
            else:
                assert kind == "audit" and callable(getattr(audit, what)), f"D{item['id']}: {entry}"


def test_other_pages_cite_numbers_that_the_ledger_has():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = " ".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
        cited = {int(number) for number in re.findall(r"\bD(\d{1,2})\b", text)}
        assert cited <= {item["id"] for item in ITEMS}, path.name


def test_text_of_the_ledger_cannot_become_markup():
    changed = copy.deepcopy(LEDGER)
    changed["items"][0]["title"] = changed["items"][1]["rows"][0] = "<b>"
    assert "&lt;b&gt;" in (html := ledger_html(changed, {}))
    assert "<summary><b>" not in html and 'data-row="<' not in html
    assert evidence("page:clustering/draw").startswith('page <a href="clustering.html">')


def test_counts_add_up():
    table = counts(ITEMS)
    assert table.loc["all", "all"] == len(ITEMS)
    assert table.loc["A", "confirmed"] == sum(item["grade"] == "A" and item["status"] == "confirmed" for item in ITEMS)


def test_the_command_shows_what_agrees_what_differs_and_what_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "read_ledger", small_ledger)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    folder = write(tmp_path / "released")
    assert command.main(["--released", str(folder)]) == 1
    printed = capsys.readouterr().out
    line = {
        name: next(line for line in printed.splitlines() if name in line)
        for name in (
            "threshold 0.4",
            "LS_HATCL_LOSS",
            " HATCL_LOSS",
            "similar frames",
            "its gradient",
            "margin 100",
            "local_infoNCE",
            "hier_CL_soft",
        )
    }
    for name in ("threshold 0.4", " HATCL_LOSS", "similar frames", "its gradient", "margin 100"):
        assert line[name].endswith("agree"), line[name]
    assert line["similar frames"].count("nan") == 2
    assert line["LS_HATCL_LOSS"].endswith("DIFFER")
    assert "RuntimeError: no local loss here" in line["local_infoNCE"] and line["local_infoNCE"].endswith("DIFFER")
    assert "could not be run: No module named 'models'" in line["hier_CL_soft"]
    assert "DIFFER" not in line["hier_CL_soft"] and "; 5 could not be run; " in printed
    assert "no git checkout" in printed and "1 of 1 places" in printed
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["contrastive.py", "emargin.py"]


def test_code_that_ends_the_process_is_reported(tmp_path):
    folder = write(tmp_path, **{"baselines/emargin.py": "import os\nos._exit(3)\n"})
    with pytest.raises(InputError, match="exit status 3"):
        compare(folder)


def test_status_is_zero_only_where_everything_agrees(tmp_path, monkeypatch):
    from companion.audit.released import checks

    check = checks()[0]
    answer = [(check, [1.0, 1.0], [1.0, 1.0 + 1e-7])]
    monkeypatch.setattr(command, "read_ledger", small_ledger)
    monkeypatch.setattr(command, "compare", lambda folder: answer)
    folder = write(tmp_path)
    assert command.main(["--released", str(folder)]) == 0
    answer[0] = (check, [1.0, 1.0], [1.0, 1.01])
    assert command.main(["--released", str(folder)]) == 1
    answer[0] = (check, [1.0, 1.0], [1.0, 1.0])
    (folder / "src/losses/contrastive.py").write_text("HATCL_LOSS = None\n")
    assert command.main(["--released", str(folder)]) == 1


def test_without_a_path_the_command_says_what_to_clone(capsys):
    for arguments in ([], ["--released", ""]):
        assert command.main(arguments) == 2
        printed = capsys.readouterr().err
        assert f"git clone {LEDGER['repository']}" in printed and LEDGER["commit"] in printed


def test_a_folder_without_the_code_is_refused(tmp_path, capsys):
    assert command.main(["--released", str(tmp_path)]) == 2
    assert "no src/losses/contrastive.py, baselines/emargin.py" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_another_commit_is_refused_and_the_right_one_named(tmp_path):
    folder = write(tmp_path)

    def git(*arguments):
        run = subprocess.run(
            ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return run.stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    head = git("rev-parse", "HEAD")
    with pytest.raises(InputError, match=f"another commit. found: {head}. wanted: {'0' * 40}"):
        ledger_module.check_folder(folder, small_ledger())
    assert ledger_module.check_folder(folder, small_ledger(head)) == f"at commit {head[:7]}"


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ({"file": "a.py", "function": "One.go", "lines": [3, 4]}, None),
        ({"file": "a.py", "function": "One", "lines": [1, 4]}, None),
        ({"file": "a.py", "function": None, "lines": [6, 6]}, None),
        ({"file": "a.py", "function": "One.go", "lines": [2, 4]}, "lines 2 to 4 are not in One.go, lines 3 to 4"),
        ({"file": "a.py", "function": "One.stop", "lines": [3, 4]}, "no One.stop"),
        ({"file": "a.py", "function": None, "lines": [6, 7]}, "line 7 of 6"),
        ({"file": "b.py", "function": None, "lines": [1, 1]}, "no such file"),
    ],
)
def test_a_place_that_is_not_there_is_told(tmp_path, place, problem):
    (tmp_path / "a.py").write_text("class One:\n    x = 1\n    def go(self):\n        pass\n\ny = 2\n")
    found = ledger_module.misplaced({"items": [{"id": 7, "where": [place]}]}, tmp_path)
    assert found == ([] if problem is None else [f"D7 {place['file']}: {problem}"])


def test_difference_is_relative_and_knows_nan():
    nan = math.nan
    assert difference([100.0, nan], [101.0, nan]) == pytest.approx(0.01)
    assert difference([0.0], [0.5]) == 0.5
    for theirs in ([nan], [1.0, 1.0], "an error"):
        assert difference([1.0], theirs) == math.inf
