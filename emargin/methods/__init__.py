"""One file a method; this dictionary names them for the configuration, the command line and the book."""

from emargin.methods.base import Method
from emargin.methods.emargin import EMargin
from emargin.methods.infonce import InfoNCE
from emargin.methods.random import Random, RandomCalibrated

METHODS: dict[str, type[Method]] = {
    "random": Random,
    "random-calibrated": RandomCalibrated,
    "infonce": InfoNCE,
    "emargin": EMargin,
}
