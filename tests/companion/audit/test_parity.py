"""Parity with the methods' own code: its golden values, the committed table, and the command on small checkouts."""

import json
import re

import pytest
import torch

from companion.audit import __main__ as command
from companion.audit.ledger import read_ledger
from companion.audit.parity import run, table
from companion.audit.parity.comparison import DISTRIBUTION, Comparison, difference, summarised
from companion.audit.stand_ins import NOT_RUN, rearrange, reduce
from companion.book.notebooks import ROOT

TABLE = run.read_table()
LOSSES = """
from emargin.losses.hierarchical import hierarchical, instance_contrast as instance_contrastive_loss


def hierarchical_contrastive_loss(one, two):
    return 1.001 * hierarchical(one, two)


def temporal_contrastive_loss(one, two):
    raise RuntimeError("no temporal loss here")
"""


def golden(method):
    return json.loads((ROOT / "tests" / "golden" / f"official_{method}.json").read_text(encoding="utf8"))["cases"]


def close(ours, theirs, tolerance):
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return False
    return all(
        abs(a - b) <= tolerance * max(1.0, abs(wanted[2]))
        for row, wanted in zip(ours, theirs, strict=True)
        for a, b in zip(row, wanted, strict=True)
    )


@pytest.mark.parametrize("method", run.METHODS)
def test_ours_give_the_values_of_the_methods_own_code(method):
    cases = golden(method)
    known = {comparison.key: comparison for comparison in run.comparisons(method)}
    assert set(cases) <= set(known)
    assert len(cases) >= 3
    wrong = [
        key for key, theirs in cases.items() if not close(summarised(known[key].ours()), theirs, known[key].tolerance)
    ]
    assert not wrong


def test_a_golden_value_that_is_off_by_a_part_in_a_million_is_seen():
    (value, *rest), *gradients = golden("ts2vec")[
        "models/losses.py: hierarchical_contrastive_loss | value and gradient | (3, 7, 5)"
    ]
    theirs = [[value, *rest], *gradients]
    assert close(theirs, theirs, 1e-9)
    assert not close([[value, *(entry * (1 + 1e-6) for entry in rest)], *gradients], theirs, 1e-9)


@pytest.mark.parametrize("method", run.METHODS)
def test_the_texts_belong_to_comparisons_and_the_table_to_the_texts(method):
    known = run.about(method)
    assert re.fullmatch("[0-9a-f]{40}", known["commit"])
    functions = {comparison.function for comparison in run.comparisons(method)}
    assert {entry["function"] for entry in known["differs"]} <= functions
    result = TABLE[method]
    assert (result["title"], result["repository"], result["commit"]) == tuple(
        known[name] for name in ("title", "repository", "commit")
    )
    assert {line["function"] for line in result["lines"]} == functions
    assert run.surprises({method: result}) == []
    assert [entry["what"] for entry in result["stated"]] == [entry["what"] for entry in known["stated"]]


def test_traits_of_the_released_code_stand_in_the_methods_own():
    """D47: ours mends them in `original`, so the comparisons differ, or lacks what is unused, so they are equal."""
    results = {(method, line["function"]): line["result"] for method in TABLE for line in TABLE[method]["lines"]}
    assert results["infots", "models/losses.py: local_infoNCE, a sequence"] == "equal"
    assert results["infots", "models/losses.py: local_infoNCE, a batch"] == "differs"
    assert results["infots", "models/augmentations.py: AutoAUG.forward"] == "equal"  # at any temperature
    assert results["softclt", "utils_distance_matrix.py: save_sim_mat"] == "differs"
    (rebuilt,) = [entry["reason"] for entry in TABLE["simmtm"]["stated"] if entry["what"] == "What is rebuilt"]
    assert "compares them with their masked inputs" in rebuilt


def test_the_released_code_is_in_the_table_and_agrees():
    released, ledger = TABLE["released"], read_ledger()
    assert released["commit"] == ledger["commit"]
    assert [line["result"] for line in released["lines"]] == ["equal"] * 18


def test_the_table_counts_and_lists_every_line():
    counts = table.counts(TABLE)
    assert (counts.equal + counts.differ + counts["not run"] == counts.functions).all()
    assert len(table.equal(TABLE)) == counts.equal.sum()
    assert (table.differing(TABLE).why.str.len() > 10).all()


def write(folder, text=LOSSES):
    (folder / "ts2vec" / "models").mkdir(parents=True)
    (folder / "ts2vec" / "ts2vec.py").write_text("")
    (folder / "ts2vec" / "models" / "losses.py").write_text(text)
    return folder


def test_the_command_tells_equal_from_differing_from_failing(tmp_path, capsys):
    folder, out = write(tmp_path / "checkouts"), tmp_path / "results" / "parity.json"
    out.parent.mkdir()
    out.write_text('{"cost": {"kept": true}}')
    before = sorted(path for path in folder.rglob("*"))
    assert command.main(["--checkouts", str(folder), "--out", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "is at an unknown commit" in printed and "CoST: no " in printed
    written = json.loads(out.read_text())
    assert written["cost"] == {"kept": True}
    results = {line["function"].partition(": ")[2]: line for line in written["ts2vec"]["lines"]}
    assert results["instance_contrastive_loss"]["result"] == "equal"
    assert results["hierarchical_contrastive_loss"] == {
        "function": "models/losses.py: hierarchical_contrastive_loss",
        "how": "value and gradient",
        "cases": 6,
        "result": "differs",
        "reason": run.UNKNOWN,
    }
    assert results["temporal_contrastive_loss"]["result"] == "RuntimeError: no temporal loss here"
    assert results["TSEncoder"]["result"].startswith(NOT_RUN)
    assert "TS2Vec models/losses.py: hierarchical_contrastive_loss: differs, and no reason is known" in printed
    assert not [line for line in printed.splitlines() if line.startswith("  ") and "TSEncoder" in line]
    assert sorted(path for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "limit", "said"),
    [("import os\nos._exit(3)\n", 600, "exit status 3"), ("import time\ntime.sleep(600)\n", 5, "more than 5 seconds")],
)
def test_a_checkout_that_ends_or_hangs_is_one_line_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, text, limit, said
):
    monkeypatch.setattr(run, "TIME_LIMIT", limit)
    folder, out = write(tmp_path / "checkouts", text), tmp_path / "parity.json"
    assert command.main(["--checkouts", str(folder), "--out", str(out)]) == 2
    assert [line for line in capsys.readouterr().err.splitlines() if said in line]
    assert not out.exists()


def test_a_folder_without_the_code_says_what_to_clone(tmp_path, capsys):
    (tmp_path / "ts2vec").mkdir()
    assert command.main(["--checkouts", str(tmp_path), "--out", str(tmp_path / "parity.json")]) == 2
    assert "git clone https://github.com/zhihanyue/ts2vec" in capsys.readouterr().err
    assert command.main(["--checkouts", str(tmp_path / "nowhere")]) == 2


def test_a_reason_that_no_longer_holds_is_told(monkeypatch):
    found = [{"function": "f", "how": "value", "key": "f", "gap": 0.5, "summary": []}]
    monkeypatch.setattr(run, "about", lambda method: {"differs": [{"function": "f", "reason": "because"}]})
    lines = run.lines("any", found)
    assert lines[0]["result"] == "equal"
    assert run.surprises({"any": {"title": "Any", "lines": lines}}) == [
        "Any f: the reason given for a difference no longer holds"
    ]


def test_differences_are_relative_to_the_largest_entry_and_see_shapes_and_nan():
    rows = torch.tensor([100.0, 1.0], dtype=torch.float64)
    assert difference([rows], [rows + 1e-8], "value") == pytest.approx(0.1, rel=1e-3)
    for theirs in ([rows, rows], [rows[:1]], [rows * torch.nan]):
        assert difference([rows], theirs, "value") == float("inf")
    draws = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    assert difference([draws], [draws + 0.01], DISTRIBUTION) < 1 < difference([draws], [draws + 1], DISTRIBUTION)


def test_every_comparison_has_a_name_of_its_own():
    for method in run.METHODS:
        comparisons = run.comparisons(method)
        assert all(isinstance(comparison, Comparison) for comparison in comparisons)
        assert len({comparison.key for comparison in comparisons}) == len(comparisons)


def test_axes_are_rearranged_as_the_pattern_says():
    x = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(rearrange(x, "B T C -> B C T"), x.mT)
    assert torch.equal(rearrange(x, "B T C -> B (C T)"), x.mT.flatten(1))
    assert rearrange(x[0], "b d -> b () d").shape == (3, 1, 4)
    assert torch.equal(rearrange([x, x], "l b t d -> l b t d"), torch.stack([x, x]))
    assert torch.equal(reduce(x, "l b t -> b t", "mean"), x.mean(0))
