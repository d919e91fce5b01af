"""The meaning of a term of the glossary at each link to it, for the pointer and for the keyboard, without a network."""

import pytest

from companion.book.term_hover import explained
from tests.browser import browser, needs_a_browser
from tests.companion.book.small_book import built

INDEX = """# Book

```{toctree}
words
```

A {term}`fold` of people, and a [link](words.md).
"""
WORDS = """# Words

```{glossary}
fold
  One split of the people;
  see {ref}`more <more>`.
```

(more)=
## More
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return built(tmp_path_factory.mktemp("book"), "companion.book.term_hover", {"index.md": INDEX, "words.md": WORDS})


def test_a_link_to_a_term_says_what_it_means_and_other_links_stay(book):
    text = (book / "index.html").read_text()
    assert text.count('title="One split of the people; see more." data-bs-toggle="tooltip"') == 1
    for link in ('<a class="reference internal" href="#term-x">', '<a class="reference internal" href="words.html">'):
        assert explained(link, {"term-fold": "…"}) == link


@needs_a_browser
def test_pointer_and_keyboard_show_it_offline(book, tmp_path):
    shown = "document.querySelector('.tooltip.meaning.show')"
    link = "document.querySelector('a[data-bs-toggle=tooltip][href*=term]')"
    with browser(tmp_path / "profile") as opened:
        opened.open((book / "index.html").as_uri(), f"{link}?.dataset.bsOriginalTitle")
        opened.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        assert not opened.run(f"Boolean({shown})")
        opened.run(f"{link}.focus()")
        opened.until(shown)
        assert opened.run(f"{shown}.textContent") == "One split of the people; see more."
        assert opened.run(f"{link}.getAttribute('aria-describedby') === {shown}.id")
        opened.run(f"{link}.blur()")
        opened.until("!document.querySelector('.tooltip.meaning')")  # faded out: the pointer finds no other on its way
        x, y = opened.run(
            f"(() => {{ const box = {link}.getBoundingClientRect(); return [box.x + box.width / 2, box.y + 5] }})()"
        )
        opened.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        opened.until(shown)
