"""A search for a decimal number finds the pages that print it, in the index and in the browser."""

import pytest

from companion.book.number_search import SearchWithNumbers
from tests.browser import browser, needs_a_browser
from tests.companion.book.small_book import built

INDEX = """# Book

```{toctree}
other
```

0 or 86 frames, of a silhouette of 0.80.
"""
OTHER = "# Other\n\nA silhouette of 0.86, less \u22120.05.\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return built(
        tmp_path_factory.mktemp("book"), "companion.book.number_search", {"index.md": INDEX, "other.md": OTHER}
    )


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
