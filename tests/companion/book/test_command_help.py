"""The book's pages show what the commands say."""

import re
import subprocess
from pathlib import Path

import pytest
from docutils.core import publish_doctree
from docutils.parsers.rst import directives

from companion.book.command_help import WIDTH, CommandHelp, help_of


def test_the_text_is_that_of_the_command():
    text = help_of("grid plan")
    assert text.startswith("usage: emargin grid plan [-h]") and "--json FILE" in text


PAGE = Path(__file__).parents[3] / "book" / "api" / "command_line.md"


@pytest.mark.parametrize("command", re.findall(r"^```{command-help}(.*)", PAGE.read_text(), re.MULTILINE))
def test_every_help_on_the_page_fits_it(command):
    assert [line for line in help_of(command.strip()).splitlines() if len(line) > WIDTH] == []


def test_a_page_shows_it_as_plain_text():
    directives.register_directive("command-help", CommandHelp)
    (block,) = publish_doctree(".. command-help:: grid plan\n").children
    assert block.astext() == help_of("grid plan") and block["language"] == "text"


def test_a_command_that_is_not_there_stops_the_build():
    with pytest.raises(subprocess.CalledProcessError):
        help_of("gird")
