"""TS2Vec on its own protocol: the rules of its training, and a command that goes on where it stopped."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from companion.audit import reference


def write_set(folder, n=12, length=24):
    """A set of two classes that an encoder tells apart: slow and fast waves."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for side in ("TRAIN", "TEST"):
        classes = np.arange(n) % 2 + 1
        times = np.arange(length) * np.where(classes == 1, 0.3, 1.5)[:, None] + generator.random((n, 1))
        table = np.column_stack([classes, np.sin(times) + 0.1 * generator.standard_normal((n, length))])
        np.savetxt(folder / f"{folder.name}_{side}.tsv", table, delimiter="\t")
    return folder


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(reference, "STEPS", (3, 4))


def test_the_number_of_steps_follows_the_size_of_the_training_side():
    assert [reference.steps(values) for values in (1, 100_000, 100_001)] == [200, 200, 600]


def test_a_run_gives_equal_numbers_twice_and_others_with_another_seed(tmp_path, few_steps):
    series = torch.from_numpy(np.random.default_rng(1).standard_normal((9, 20, 1)).astype(np.float32))
    one, two, other = (reference.represented(reference.trained(series, seed, 3), series) for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.allclose(one, other)
    assert one.shape == (9, 320)


def test_a_series_is_represented_by_the_maximum_over_time():
    series = torch.tensor([[[1.0], [3.0], [-5.0]], [[0.0], [-1.0], [-2.0]]])
    assert reference.represented(torch.nn.Identity(), series).tolist() == [[3.0], [0.0]]


def test_the_machine_tells_rings_apart():
    angles, radius = np.random.default_rng(2).random(120) * 2 * np.pi, np.arange(120) % 2 + 1.0
    points = np.column_stack([radius * np.cos(angles), radius * np.sin(angles)])
    assert reference.accuracy(points[:80], radius[:80], points[80:], radius[80:]) == 1.0
    assert reference.accuracy(points[:20], radius[:20], points[80:], radius[80:]) > 0.8  # too few for the grid


def test_the_command_writes_each_row_and_does_not_run_it_again(tmp_path, few_steps, capsys, monkeypatch):
    write_set(tmp_path / "ucr" / "Waves")
    out = tmp_path / "results" / "reference.json"
    arguments = ["--data", str(tmp_path / "ucr"), "--out", str(out), "--sets", "Waves", "--seeds", "1", "2"]
    assert reference.main(arguments) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["set"], row["seed"], row["steps"]) for row in rows] == [("Waves", 1, 3), ("Waves", 2, 3)]
    assert "Waves" in capsys.readouterr().out
    monkeypatch.setattr(reference, "run", lambda folder, seed: pytest.fail("run again"))
    assert reference.main(arguments) == 0
    assert json.loads(out.read_text())["rows"] == rows


def test_the_authors_code_runs_beside_ours_with_its_own_machine(tmp_path):
    write_set(tmp_path / "ucr" / "Waves")
    checkout, out = tmp_path / "ts2vec", tmp_path / "reference.json"
    files = {
        "utils.py": "import torch\ndef init_dl_program(device, seed): torch.manual_seed(seed)",
        "ts2vec.py": """
class TS2Vec:
    def __init__(self, input_dims, device, batch_size, lr, max_train_length):
        assert (input_dims, device, batch_size, lr, max_train_length) == (1, "cpu", 8, 0.001, 3000)
    def fit(self, series):
        self.n_iters = len(series)
    def encode(self, series, encoding_window):
        assert encoding_window == "full_series"
        return abs(series[:, 1:] - series[:, :-1]).mean(1)
""",
        "tasks/__init__.py": "import bottleneck",
        "tasks/_eval_protocols.py": """
from sklearn.neighbors import KNeighborsClassifier
def fit_svm(features, classes):
    return KNeighborsClassifier(1).fit(features, classes)
""",
    }
    for name, text in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    command = [sys.executable, "-m", "companion.audit.reference", "--data", str(tmp_path / "ucr"), "--out", str(out)]
    command += ["--sets", "Waves", "--seeds", "1", "--official", str(checkout)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = json.loads(out.read_text())
    assert kept["official"] == {"rows": [{"set": "Waves", "seed": 1, "steps": 12, "accuracy": 1.0}], "commit": None}
    assert kept["rows"] == []
    (checkout / "ts2vec.py").unlink()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "a checkout of TS2Vec's code is needed" in done.stderr


def test_a_set_that_is_not_there_is_one_line(tmp_path, capsys):
    assert reference.main(["--data", str(tmp_path), "--out", str(tmp_path / "r.json"), "--sets", "Nothing"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "r.json").exists()


def test_a_published_number_names_its_text_and_far_ones_are_told():
    assert "Table 14" in reference.PUBLISHED["read_from"]
    assert set(reference.PUBLISHED["accuracy"]) == set(reference.SETS)
    near, far, unknown = reference.summary(
        [{"set": name, "seed": 1, "accuracy": 0.8} for name in ("Adiac", "CricketX", "Waves")][::-1]
    )
    assert "more than 0.03 apart" in near and "published 0.765" in near
    assert "apart" not in far and "not at hand" in unknown


def test_ours_stands_beside_what_was_published():
    rows = [{"set": "Adiac", "seed": seed, "accuracy": value} for seed, value in ((1, 0.7), (2, 0.8))]
    (found,) = reference.against_published(rows).itertuples()
    assert (found.Index, found.seeds, found.published) == ("Adiac", 2, 0.765)
    assert (found.ours, found.spread, found.difference) == pytest.approx((0.75, 0.0707107, -0.015))
    official = [{"set": "Adiac", "seed": seed, "accuracy": value} for seed, value in ((1, 0.5), (2, 0.7))]
    (found,) = reference.against_published(rows, official).itertuples()
    assert (found.ours, found.official, found.official_spread) == pytest.approx((0.75, 0.6, 0.1414214))
