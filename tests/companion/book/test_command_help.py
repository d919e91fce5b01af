"""The book's pages show what the commands say."""

import subprocess

import pytest
from docutils.core import publish_doctree
from docutils.parsers.rst import directives

from companion.book.command_help import WIDTH, CommandHelp, help_of


def test_the_text_is_that_of_the_command():
    text = help_of("grid plan")
    assert text.startswith("usage: emargin grid plan [-h]") and "--json FILE" in text
    assert all(len(line) <= WIDTH for line in text.splitlines())


def test_a_page_shows_it_as_plain_text():
    directives.register_directive("command-help", CommandHelp)
    (block,) = publish_doctree(".. command-help:: grid plan\n").children
    assert block.astext() == help_of("grid plan") and block["language"] == "text"


def test_a_command_that_is_not_there_stops_the_build():
    with pytest.raises(subprocess.CalledProcessError):
        help_of("gird")
