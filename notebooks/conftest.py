"""What `pytest --nbval` leaves out of its comparison besides images that are PNG: those that are SVG, standard error.

Progress bars and warnings go to standard error; `make notebooks` leaves it out of the committed outputs.
"""

from nbval.plugin import IPyNbFile


def pytest_collectstart(collector):
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += ("image/svg+xml", "stderr")
