"""Sphinx extension by which a search finds decimal numbers, such as 0.86, which Sphinx takes for two whole ones."""

import re

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish


class SearchWithNumbers(SearchEnglish):
    """English, in which a decimal number is a word, in the index and in the browser."""

    _word_re = re.compile(r"\d+\.\d+|\w+")
    js_splitter_code = r"""
var splitQuery = (query) =>
  query.replace(/(?<![\d\p{Letter}])\.(?=\d)/gu, "0.") // .86
    .match(/\d+\.\d+|[\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu) ?? [];
"""


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to a book."""
    app.add_search_language(SearchWithNumbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
