"""A search for a decimal number finds the pages that print it, in the index and in the browser."""

import subprocess
import sys

import pytest

from companion.book.number_search import SearchWithNumbers
from tests.browser import browser, needs_a_browser

CONF = """
extensions = ["myst_parser", "companion.book.number_search"]
html_theme = "sphinx_book_theme"
"""
INDEX = """# Book

```{toctree}
other
```

0 or 86 frames, of a silhouette of 0.80.
"""
OTHER = "# Other\n\nA silhouette of 0.86, less \u22120.05.\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    for name, text in (("conf.py", CONF), ("index.md", INDEX), ("other.md", OTHER)):
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", str(folder), str(folder / "html")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "html"


def test_a_decimal_number_is_a_word():
    words = SearchWithNumbers({}).split("SP-SW-HAR: \u22120.05, 0.86 and 1/64 in 12 runs.")
    assert words == ["SP", "SW", "HAR", "0.05", "0.86", "and", "1", "64", "in", "12", "runs"]


@needs_a_browser
@pytest.mark.parametrize("query", ["0.86", "silhouette 0.86", ".86", "-0.05"])
def test_the_page_with_the_number_is_found(book, tmp_path, query):
    with browser(tmp_path / "profile") as opened:
        address = f"{(book / 'search.html').as_uri()}?q={query.replace(' ', '+')}"
        opened.open(address, "document.querySelector('ul.search li a')")
        assert opened.run("document.querySelector('ul.search li a').textContent") == "Other"
        assert opened.run("document.querySelectorAll('ul.search li').length") == 1
