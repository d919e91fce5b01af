"""The pins agree with one another, the configuration files are valid, and the book's tools find what they look for."""

import copy
import json
import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pybtex.database import parse_file

from companion.book import check_book, links
from companion.book import notebooks as tool
from emargin import __version__ as PACKAGE

ROOT = tool.ROOT


def pins(lines: list[str]) -> dict[str, Version]:
    """Name and version of lines `name==version`; any other line but a comment is an error."""
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", line.strip()).groups()
            assert canonicalize_name(name) not in found, f"{name} is pinned twice"
            found[canonicalize_name(name)] = Version(version)
    return found


LOCK = pins((ROOT / "requirements.lock").read_text().splitlines())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = [
    line
    for line in PROJECT["project"]["dependencies"]
    + sum(PROJECT["project"]["optional-dependencies"].values(), [])
    + PROJECT["build-system"]["requires"]
    if Requirement(line).name != PROJECT["project"]["name"]
]


def test_no_folder_of_tests_is_passed_over():
    left_out = PROJECT["tool"]["pytest"]["ini_options"]["norecursedirs"]
    folders = {folder for path in (ROOT / "tests").rglob("test_*.py") for folder in path.relative_to(ROOT).parts[:-1]}
    assert len(folders) > 1
    assert not [folder for folder in folders for pattern in left_out if fnmatch(folder, pattern)]


def test_torch_is_pinned_exactly_and_first():
    assert next(iter(LOCK)) == "torch"
    assert LOCK["torch"].local is None


@pytest.mark.parametrize("requirement", [Requirement(line) for line in REQUIREMENTS], ids=str)
def test_the_lock_satisfies_the_project(requirement):
    assert LOCK[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_conda_environment_has_the_versions_of_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (with_pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    pinned = pins([line for line in with_pip if not line.startswith("-")])
    assert pinned == {name: LOCK[name] for name in pinned}
    wanted = {canonicalize_name(Requirement(line).name) for line in REQUIREMENTS} - {"setuptools"}
    assert set(pinned) == wanted


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("github-workflows", ".github/workflows/audit-book.yml"),
        ("github-workflows", ".github/workflows/ci.yml"),
        ("github-workflows", ".github/workflows/release.yml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_configuration_files_are_valid(schema, path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_commit_is_held_to_what_make_lint_checks():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    before_a_commit = {
        hook["entry"].replace(".venv/bin/", "").replace(" --force-exclude", "") for hook in repository["hooks"]
    }
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1)
    lines = {line.strip().replace("$(BIN)/", "").removesuffix(" .") for line in recipe.splitlines()}
    assert before_a_commit == lines and len(lines) == 3
    assert (repository["repo"], {hook["language"] for hook in repository["hooks"]}) == ("local", {"system"})


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_files_that_are_there(document):
    """NAME stands for what the reader adds."""
    text = (ROOT / document).read_text()
    paths = set(re.findall(r"`((?:\.ci|\.github|book|companion|emargin|notebooks|tests|workflow)/[\w./-]*)`", text))
    assert len(paths) > 5
    assert [path for path in sorted(paths) if "NAME" not in path and not (ROOT / path).exists()] == []
    commands = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert "lint" in commands and commands <= set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )


def test_the_bibliography_holds_the_paper_its_references_the_data_and_what_repairs_the_dial_and_the_evidence_cite():
    entries = parse_file(ROOT / "book" / "references.bib").entries
    assert len(entries) == 1 + 29 + 11 + 2 + 3 + 5  # two losses that repairs borrow from; three of the dial; on scores
    assert [key for key, entry in entries.items() if {"title", "year"} - set(entry.fields)] == []


def test_pages_are_read_in_the_order_of_the_contents(tmp_path):
    toc = tmp_path / "_toc.yml"
    toc.write_text("root: a\nparts: [{chapters: [{file: b, sections: [{file: c}]}]}, {chapters: [{file: d}]}]\n")
    assert tool.pages(toc) == ["a", "b", "c", "d"]


def executed_notebook() -> nbformat.NotebookNode:
    v4 = nbformat.v4
    cell = v4.new_code_cell("print('a b')", execution_count=1, id="kept")
    cell.metadata.update({"tags": [], "papermill": {"duration": 1.0}, "execution": {"iopub": "now"}, "reason": "kept"})
    cell.outputs = [
        v4.new_output("stream", name="stdout", text="a "),
        v4.new_output("stream", name="stderr", text=" 10%\r100%"),
        v4.new_output("stream", name="stdout", text="b\n"),
    ]
    metadata = {"papermill": {"version": "2"}, "language_info": {"name": "python", "version": "3.11.7"}}
    return v4.new_notebook(cells=[cell], metadata=metadata)


def test_notebooks_run_side_by_side_and_one_that_fails_keeps_its_outputs(tmp_path, monkeypatch, capfd):
    for name, code in {"right": "print(1)", "wrong": "1 / 0"}.items():
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(tool, "notebooks", lambda: [tmp_path / "wrong.ipynb", tmp_path / "right.ipynb"])
    monkeypatch.setattr("sys.argv", ["notebooks", str(tmp_path / "out"), "--jobs", "2"])
    assert tool.main() == 1
    said = capfd.readouterr()
    assert "failed: wrong.ipynb" in said.err and "ZeroDivisionError" in said.err and "right.ipynb: " in said.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["right.ipynb"]


def test_normalising_takes_the_noise_and_keeps_the_rest():
    notebook = tool.normalise(executed_notebook())
    (cell,) = notebook.cells
    assert (cell.id, cell.metadata) == ("kept", {"reason": "kept"})
    assert [output.text for output in cell.outputs] == ["a b\n"]
    assert "papermill" not in notebook.metadata and "version" not in notebook.metadata.language_info


def test_normalising_twice_changes_nothing():
    once = tool.normalise(executed_notebook())
    assert tool.normalise(copy.deepcopy(once)) == once


def test_progress_bars_are_reported_by_their_last_state():
    assert tool.stderr_of(executed_notebook()) == "100%"


WHOLE = "<article id='a'><p>Words enough for a page.</p>{}</article>"


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<p>no article</p>", "is empty"),
        (WHOLE.format("<pre>Traceback (most recent call last)</pre>"), "holds a traceback"),
        (WHOLE.format("<pre>Traceback <span>(most recent</span> call last)</pre>"), "holds a traceback"),
        (WHOLE.format("<p>See {numref}`fig-a`</p>"), "unresolved reference"),
        (WHOLE.format("<img src='logo.svg'>"), "has an image without alt text: logo.svg"),
        (WHOLE.format("<img alt='' src='logo.svg'>"), "has an image without alt text: logo.svg"),
        (WHOLE.format("<img alt='x' src='gone.svg'>"), "links to nothing: gone.svg"),
        (WHOLE.format("<a href='gone.html'>x</a>"), "links to nothing: gone.html"),
        (WHOLE.format("<a href='#gone'>x</a>"), "links to nothing: #gone"),
    ],
)
def test_a_broken_page_is_named_with_its_problem(tmp_path, html, problem):
    page = tmp_path / "page.html"
    (tmp_path / "logo.svg").touch()
    page.write_text(html)
    (found,) = check_book.problems_of(page, tmp_path)
    assert problem in found


def test_a_whole_page_has_no_problem(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(WHOLE.format("<a href='page.html#a'>x</a> <a href='https://example.org/y'>z</a>"))
    assert check_book.problems_of(page, tmp_path) == []


def test_numbers_that_lead_to_their_cell_are_counted():
    number = '<td><a href="../book/cells.html#chart=cells&amp;cell=0a9a0ec5d51e8d44&amp;up=nmi">0.42</a></td>'
    other = '<a href="../book/cells.html#chart=cells&amp;across=nmi">the explorer</a><a href="#cell">a cell</a>'
    assert check_book.linked(f"<table><tr>{number * 2}</tr></table>{other}") == 2


def test_a_link_into_a_chart_leads_to_a_cell_that_it_has(tmp_path):
    data = tmp_path / "_static" / "charts" / "cells.js"
    data.parent.mkdir(parents=True)
    data.write_text('{"cell": ["0a1b"]}')
    page = tmp_path / "page.html"
    page.write_text("<p>a page</p>")
    for link, leads in (("cells&cell=0a1b&up=nmi", True), ("cells&cell=0a1c", False), ("none&cell=0a1b", False)):
        assert check_book.leads_somewhere(f"page.html#chart={link}", page, tmp_path) == leads


FIGURE = "<figure id='{}'><img alt='x' src='logo.svg'><figcaption>y</figcaption></figure>"


@pytest.mark.parametrize(
    ("shown", "problems"),
    [
        (FIGURE.format("fig-a") + FIGURE.format("fig-b"), []),
        (FIGURE.format("fig-a") + "<figure id='fig-b'><div><svg></svg></div></figure>", []),
        (FIGURE.format("fig-a"), ["shows 1 of the 2 figures of its notebook, not fig-b"]),
        (
            FIGURE.format("fig-a") + "<figure id='fig-b'><p>text</p></figure><img alt='x' src='logo.svg'>",
            ["shows 1 of the 2 figures of its notebook, not fig-b"],
        ),
    ],
    ids=["both", "one of them drawn in the page", "one", "a figure without an image"],
)
def test_a_page_shows_the_figures_that_its_notebook_declares(shown, problems, tmp_path):
    (tmp_path / "logo.svg").touch()
    (tmp_path / "page.html").write_text(WHOLE.format(shown))
    assert check_book.problems_of(tmp_path / "page.html", tmp_path, ["fig-a", "fig-b"]) == problems


def test_a_book_without_the_figures_of_a_notebook_is_not_whole(tmp_path, monkeypatch, capsys):
    cells = [nbformat.v4.new_code_cell(metadata={"mystnb": {"figure": {"name": "fig-a"}}})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "page.ipynb")
    monkeypatch.setattr(check_book, "ROOT", tmp_path)
    monkeypatch.setattr(check_book, "pages", lambda: ["page"])
    monkeypatch.setattr(check_book, "FEWEST_LINKED", 0)  # which is of the whole book
    (tmp_path / "index.html").write_text(WHOLE)
    (tmp_path / "page.html").write_text(WHOLE)
    assert check_book.main(tmp_path) == 1
    assert capsys.readouterr().out == "page.html: shows 0 of the 1 figures of its notebook, not fig-a\n"


@pytest.mark.parametrize("named", [True, False])
def test_a_book_links_to_the_repository_that_the_environment_names_and_to_none_otherwise(named, tmp_path, monkeypatch):
    for name, value in (("REPOSITORY", "someone/copy"), ("SERVER_URL", "https://example.org"), ("REF_NAME", "main")):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
        if named:
            monkeypatch.setenv(f"GITHUB_{name}", value)
    path, usual = tmp_path / "_config.yml", (ROOT / "_config.yml").read_text()
    path.write_text(usual)
    links.main(path)
    before, after = yaml.safe_load(usual), yaml.safe_load(path.read_text())
    if not named:
        assert path.read_text() == usual
        return
    assert after["repository"]["url"] == "https://example.org/someone/copy"
    assert after["html"]["use_repository_button"] and not before["html"]["use_repository_button"]
    assert after["sphinx"] == before["sphinx"] and after["parse"] == before["parse"]


def test_a_missing_page_is_a_problem(tmp_path):
    assert check_book.problems_of(tmp_path / "page.html", tmp_path) == ["is not in the built book"]


def test_every_test_that_the_table_of_faults_names_is_there():
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?", (ROOT / "tests" / "FAULTS.md").read_text(encoding="utf-8"))
    assert len(named) > 100
    texts = {path: (ROOT / "tests" / path).read_text(encoding="utf-8") for path, _ in named}
    assert [(path, name) for path, name in named if f"def {name}" not in texts[path]] == []


def test_the_notes_of_a_release_are_what_the_changelog_says_of_its_version():
    notes = subprocess.run([ROOT / ".ci" / "notes", PACKAGE], capture_output=True, text=True, check=True).stdout
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert notes == text.split(f"## [{PACKAGE}]\n")[1].split("\n## ")[0] and "### Added" in notes
    assert subprocess.run([ROOT / ".ci" / "notes", "9.9.9"], capture_output=True).returncode == 1


def test_a_tag_releases_wheel_book_and_encoders():
    (job,) = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"].values()
    script = "\n".join(step.get("run", "") for step in job["steps"])
    assert all(
        part in script for part in ("pip wheel", "dist/book.tar.gz", "encoders pack runs/cells dist/", ".ci/notes")
    )


def test_continuous_integration_runs_on_every_python_that_the_package_takes():
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["check"]
    assert job["strategy"]["matrix"]["python-version"] == ["3.11", "3.12", "3.13", "3.14"]
    assert Version("3.11") in SpecifierSet(PROJECT["project"]["requires-python"])


def test_the_dev_container_makes_the_environment_that_the_commands_use():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"] == "make env" and container["image"].startswith("python:3.11")
    assert container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"].endswith(
        "/.venv/bin/python"
    )


def test_binder_installs_the_versions_of_the_lock():
    folder = ROOT / ".binder"
    (line,) = (folder / "requirements.txt").read_text().splitlines()
    assert (folder / line.removeprefix("-r ")).resolve() == ROOT / "requirements.lock"
    assert os.access(folder / "postBuild", os.X_OK)


@pytest.mark.parametrize("path", sorted((ROOT / "book" / "_static").glob("*.css")), ids=lambda path: path.name)
def test_each_block_of_a_style_sheet_is_closed(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
