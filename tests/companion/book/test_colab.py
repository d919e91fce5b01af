"""The first cell for Colab, which fetches and installs there and does nothing elsewhere; the launch buttons."""

import json
import os
import subprocess
import sys
from types import ModuleType

import nbformat
import pytest
import yaml

from companion.book import colab, links
from companion.book.notebooks import ROOT
from emargin.config import Experiment

URL = "https://example.org/someone/copy"
NOTEBOOK = json.loads((ROOT / "notebooks" / "train.ipynb").read_text(encoding="utf-8"))


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Commands that the cell runs, in an empty folder."""
    made = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: made.append(command))
    monkeypatch.setattr(os, "chdir", os.chdir)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return made


@pytest.fixture
def cell():
    return "".join(colab.with_cell(NOTEBOOK, URL)["cells"][0]["source"])


def test_outside_colab_the_cell_does_nothing(calls, cell, tmp_path):
    before = list(sys.path)
    exec(cell, {})
    assert calls == [] and sys.path == before and os.getcwd() == str(tmp_path)


def test_on_colab_it_fetches_installs_and_enters_the_checkout_once(calls, cell, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(os, "chdir", lambda folder: calls.append(["cd", folder]))
    exec(cell, {})
    folder = str(tmp_path / "copy")
    clone, install, enter = calls
    assert clone == ["git", "clone", "--quiet", "--depth=1", f"--branch={colab.BRANCH}", URL, folder]
    assert install == [sys.executable, "-m", "pip", "install", "--quiet", f"{folder}[notebooks]"]
    assert enter == ["cd", folder] and sys.path[0] == folder
    (tmp_path / "copy").mkdir()
    calls.clear()
    exec(cell, {})
    assert calls == [["cd", folder]]


def test_the_cell_leaves_no_name_that_is_taken_for_a_parameter(cell):
    names = {}
    exec(cell, names)
    assert Experiment.from_notebook(names | {"seed": 3}) == Experiment(seed=3)
    asked = "experiment = Experiment.from_notebook(globals())"
    assert Experiment.from_notebook(names | {"seed": 3, "_ih": ["", cell, "seed = 3", asked]}) == Experiment(seed=3)


def test_notebooks_get_the_cell_once_and_stay_as_they_are_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/copy")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://example.org")
    text = (ROOT / "notebooks" / "train.ipynb").read_text(encoding="utf-8")
    path = tmp_path / "train.ipynb"
    path.write_text(text, encoding="utf-8")
    for _ in range(2):
        colab.main(tmp_path)
        first, *others = nbformat.read(path, as_version=4).cells
        assert URL in first.source and first.metadata.tags == ["remove-cell"] and first.outputs == []
        assert others == nbformat.reads(text, as_version=4).cells
    nbformat.validate(nbformat.read(path, as_version=4))


def test_without_a_repository_notebooks_stay_as_they_are(tmp_path, monkeypatch, capsys):
    for name in ("GITHUB_REPOSITORY", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "train.ipynb").write_text(json.dumps(NOTEBOOK))
    colab.main(tmp_path)
    assert json.loads((tmp_path / "train.ipynb").read_text()) == NOTEBOOK
    assert "no notebook changed" in capsys.readouterr().out
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert not any(colab.NAME in text for text in texts)


def test_the_book_has_launch_buttons_for_the_branch_with_the_cells_and_none_without_a_repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert "launch_buttons" not in config and links.with_links(config, {}) == config
    assert links.with_links(config, {"GITHUB_REPOSITORY": "someone/copy"}) == config
    linked = links.with_links(config, {"GITHUB_REPOSITORY": "someone/copy", "GITHUB_SERVER_URL": "https://example.org"})
    assert set(linked["launch_buttons"]) == {"notebook_interface", "binderhub_url", "colab_url"}
    assert linked["repository"] == {"url": URL, "branch": colab.BRANCH}


def test_a_book_that_is_published_knows_its_address_and_others_have_no_sitemap():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    server = {"GITHUB_SERVER_URL": "https://github.com"}
    sphinx = links.with_links(config, server | {"GITHUB_REPOSITORY": "Some/copy"})["sphinx"]
    assert sphinx["extra_extensions"] == [*config["sphinx"]["extra_extensions"], "sphinx_sitemap"]
    before = config["sphinx"]["config"]
    assert {name: sphinx["config"][name] for name in before} == before | {"notfound_urls_prefix": "/copy/"}
    assert sphinx["config"]["html_baseurl"] == "https://some.github.io/copy/"
    assert sphinx["config"]["notfound_urls_prefix"] == "/copy/"
    assert sphinx["config"]["ogp_image"] == "https://some.github.io/copy/_static/figures/fig-dial.png"
    assert "figures/fig-dial.svg" in (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    assert links.site_of("https://example.org/some/copy") == ""


def test_the_workflow_that_publishes_fills_the_branch_of_the_buttons():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["launch"]
    assert job["if"] == "github.ref == 'refs/heads/main'" and job["permissions"] == {"contents": "write"}
    script = "".join(step.get("run", "") for step in job["steps"])
    assert "-m companion.book.colab notebooks" in script and f"HEAD:refs/heads/{colab.BRANCH}" in script
