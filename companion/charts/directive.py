"""Sphinx directive `chart`: a chart that the reader operates, and its still picture where no script runs, and in print.

    ```{chart} cells
    :name: fig-cells
    :alt: What the picture shows.
    The caption.
    ```

A page loads the scripts of the charts that it has, and a page without a chart loads none.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.patches import Figure

FOLDER = "charts"  # in the book's folder of static files, where `companion.charts` writes
STATIC = "/book/_static"


class ChartDirective(Figure):
    """A figure that also says which chart takes its picture's place."""

    def run(self) -> list[nodes.Node]:
        (name,) = self.arguments
        self.arguments = [f"{STATIC}/{FOLDER}/{name}.svg"]
        self.options["figclass"] = ["chart", *self.options.get("figclass", [])]
        result = super().run()
        (figure,) = [node for node in result if isinstance(node, nodes.figure)]
        figure["chart"] = name
        figure.insert(0, nodes.raw("", f'<div class="live" data-chart="{name}" hidden></div>', format="html"))
        return result


def add_scripts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Let a page load Vega, what its charts draw, and what draws them, in this order."""
    figures = doctree.findall(nodes.figure) if doctree else []
    if names := list(dict.fromkeys(figure["chart"] for figure in figures if "chart" in figure)):
        app.add_css_file("charts.css")
        for number, file in enumerate([f"{FOLDER}/vega.js", *(f"{FOLDER}/{name}.js" for name in names), "charts.js"]):
            app.add_js_file(file, priority=900 + number, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive to a book."""
    app.add_directive("chart", ChartDirective)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
