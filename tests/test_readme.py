"""The example of README.md runs in an empty folder and prints what stands below it; its picture is of its rows."""

import os
import re
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

from companion.figures import front
from tests.test_setup import LOCK, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+")


def test_the_example_runs_and_prints_what_stands_below_it(tmp_path):
    program, printed = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README, re.DOTALL).groups()
    assert len([line for line in program.splitlines() if line]) == 10
    environment = {name: value for name, value in os.environ.items() if name != "EMARGIN_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert NUMBER.sub("N", done.stdout) == NUMBER.sub("N", printed)
    values, wanted = ([float(number) for number in NUMBER.findall(text)] for text in (done.stdout, printed))
    assert values == pytest.approx(wanted, rel=0.1, abs=0.05)  # processors differ in the last bits


def test_the_example_and_the_picture_stand_on_the_first_screen():
    first = README.split("\n## ")[0]
    assert "```python" in first and "make test" in first and len(first.splitlines()) < 70
    ((alt, path),) = re.findall(r"!\[(.*?)\]\((.*?)\)", first, re.DOTALL)
    assert len(alt.split()) > 20 and (ROOT / path).stat().st_size < 100_000


def test_the_picture_is_what_its_command_draws_from_the_committed_rows(tmp_path):
    front.main(tmp_path / "front.png")
    drawn, committed = (
        matplotlib.image.imread(path) for path in (tmp_path / "front.png", ROOT / "book" / "_static" / "front.png")
    )
    assert drawn.shape == committed.shape and np.abs(drawn - committed).mean() < 0.002


def test_the_constraint_is_the_cpu_build_of_the_version_of_the_lock():
    lines = (ROOT / "constraints-cpu.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"torch=={LOCK['torch']}+cpu"]
