"""Execute the notebooks that _toc.yml names, with papermill, from the repository root.

python -m companion.book.notebooks notebooks                # in place: refreshes the committed outputs
python -m companion.book.notebooks _build/source/notebooks  # copies for the book; the committed ones stay as they are
"""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
import papermill
import yaml
from nbval.plugin import coalesce_streams

ROOT = Path(__file__).resolve().parents[2]
MOST = 8  # at once: each has a kernel of its own, with its data in memory


def pages(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """Names of the book's pages, without suffix and in reading order, as the table of contents lists them."""

    def walk(entry: dict) -> list[str]:
        listed = [entry[key] for key in ("root", "file") if key in entry]
        below = [child for key in ("parts", "chapters", "sections") for child in entry.get(key, [])]
        return listed + [name for child in below for name in walk(child)]

    return walk(yaml.safe_load(toc.read_text(encoding="utf8")))


def notebooks() -> list[Path]:
    """The book's notebooks, in reading order."""
    return [ROOT / f"{page}.ipynb" for page in pages() if page.startswith("notebooks/")]


def stderr_of(notebook: nbformat.NotebookNode) -> str:
    """What the cells wrote to standard error, each progress bar cut down to its last state."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    streams = [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    return "".join(output.text for output in coalesce_streams(streams))


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out of an executed notebook, in place, all that differs from one run or machine to the next.

    Timings, papermill's records, the kernel's exact version and standard error go; the pieces of standard output that
    belong together are joined; cells without an identifier get one by position. Cells' tags and own metadata stay.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for position, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{position:02d}")
        for noise in ("papermill", "execution"):
            cell.metadata.pop(noise, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            kept = [output for output in cell.outputs if output.get("name") != "stderr"]
            cell.outputs = coalesce_streams(kept)
    return notebook


def execute(source: Path, target: Path) -> None:
    """Execute one notebook from the repository root and write the normalised result to `target`.

    `target` is written only where every cell ran, so a failure leaves the previous outputs as they were.
    """
    with tempfile.TemporaryDirectory() as folder:
        executed = Path(folder) / source.name
        settings = {"kernel_name": "python3", "cwd": ROOT, "progress_bar": False}
        try:
            papermill.execute_notebook(source, executed, **settings)
        except RuntimeError as error:  # the kernel did not start, or died: two that start at once can race for a port
            print(f"{source.name}: {error}; trying once more", file=sys.stderr)
            papermill.execute_notebook(source, executed, **settings)
        notebook = nbformat.read(executed, as_version=4)
    if noise := stderr_of(notebook).strip():
        print(f"{source.name} wrote to standard error (left out of its outputs):\n{noise}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(normalise(notebook), target)


def attempt(source: Path, target: Path) -> tuple[float, str]:
    """Execute one notebook; return the seconds that it took, and what failed, if anything did."""
    start, failed = time.perf_counter(), ""
    try:
        execute(source, target)
    except (papermill.PapermillExecutionError, RuntimeError, OSError) as error:
        failed = str(error)
    return time.perf_counter() - start, failed


def main() -> int:
    """Execute every notebook, say how long each took, and name those that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the executed notebooks go")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, MOST), help="how many at once")
    given = parser.parse_args()

    failed = []
    with ProcessPoolExecutor(given.jobs) as pool:
        running = {pool.submit(attempt, source, given.folder / source.name): source.name for source in notebooks()}
        for done in as_completed(running):
            name, (seconds, error) = running[done], done.result()
            print(f"{name}: {seconds:.1f} s", flush=True)
            if error:
                failed.append(name)
                print(f"{name}: {error}", file=sys.stderr)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
