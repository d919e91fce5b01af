"""Sphinx directive `command-help`: what a command of `emargin` says with --help, as text in the book."""

import os
import subprocess
import sys

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

WIDTH = 74  # columns that fit the page


class CommandHelp(Directive):
    """The help of the command that the argument names; without one, of `emargin` itself."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        text = help_of(" ".join(self.arguments))
        return [nodes.literal_block(text, text, language="text")]


def help_of(command: str) -> str:
    """Return what `emargin COMMAND --help` prints."""
    words = [sys.executable, "-m", "companion", *command.split(), "--help"]
    return subprocess.run(
        words, env=os.environ | {"COLUMNS": str(WIDTH)}, capture_output=True, text=True, check=True
    ).stdout.rstrip()


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive to a book."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
