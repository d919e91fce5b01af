"""Sphinx extension that shows what a term of the glossary means where it is used: with the pointer on it, or the focus.

The theme brings the tooltip, which needs no network; without scripts the browser shows the same as the link's title.
"""

import re
from functools import partial
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

LINK = re.compile(r'<a class="reference internal" href="(?P<to>[^"]*#(?P<term>term-[^"]+))">')


def definitions(app: Sphinx) -> dict[str, str]:
    """Return what the glossary of a book says, by the ids of its terms."""
    terms = app.env.get_domain("std").get_objects()
    pages = {page for _, _, kind, page, _, _ in terms if kind == "term"}
    found = {}
    for page in sorted(pages):
        for entry in app.env.get_and_resolve_doctree(page, app.builder).findall(nodes.definition_list_item):
            (meaning,) = entry.findall(nodes.definition)
            text = " ".join(meaning.astext().split())
            found |= {name: text for term in entry.findall(nodes.term) for name in term["ids"]}
    return found


def explained(body: str, meanings: dict[str, str]) -> str:
    """Return a page's text with the meaning of a term at each link to it."""
    return LINK.sub(partial(_with_meaning, meanings), body)


def _with_meaning(meanings: dict[str, str], link: re.Match) -> str:
    if link["term"] not in meanings:
        return link.group()
    tooltip = f'title="{escape(meanings[link["term"]])}" data-bs-toggle="tooltip" data-bs-custom-class="meaning"'
    return f'<a class="reference internal" href="{link["to"]}" {tooltip}>'


def explain(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Put the meanings into a page before it is written."""
    if "#term-" in context.get("body", "") and app.builder.format == "html":
        if not hasattr(app, "meanings"):
            app.meanings = definitions(app)
        context["body"] = explained(context["body"], app.meanings)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to a book."""
    app.connect("html-page-context", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
