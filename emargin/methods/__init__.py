"""One file a method; these dictionaries name them for the configuration, the command line and the book."""

from emargin.methods.base import Method
from emargin.methods.cosine_margin import CosineMargin
from emargin.methods.cost import CoST
from emargin.methods.cpc import CPC
from emargin.methods.distance_margin import DistanceMargin
from emargin.methods.emargin import EMargin
from emargin.methods.emargin_vicreg import EMarginVICReg
from emargin.methods.infonce import InfoNCE
from emargin.methods.infots import InfoTS
from emargin.methods.labelled import EMarginLabels, InfoNCELabels, Supervised
from emargin.methods.mfclr import MFCLR
from emargin.methods.random import Random, RandomCalibrated
from emargin.methods.repair import Repair
from emargin.methods.simmtm import SimMTM
from emargin.methods.softclt import SoftCLT
from emargin.methods.timedrl import TimeDRL
from emargin.methods.tnc import TNC
from emargin.methods.ts2vec import TS2Vec

COMPARED: dict[str, type[Method]] = {  # in the order of the paper's tables; the controls first
    "random": Random,
    "random-calibrated": RandomCalibrated,
    "infonce": InfoNCE,
    "cpc": CPC,
    "tnc": TNC,
    "infots": InfoTS,
    "cost": CoST,
    "simmtm": SimMTM,
    "timedrl": TimeDRL,
    "ts2vec": TS2Vec,
    "softclt": SoftCLT,
    "mfclr": MFCLR,
    "emargin": EMargin,
}
REPAIRS: dict[str, type[Repair]] = {  # what the book tries in eMargin's place, and their controls
    "distance-margin": DistanceMargin,
    "cosine-margin": CosineMargin,
    "emargin-vicreg": EMarginVICReg,
    "emargin-labels": EMarginLabels,
    "infonce-labels": InfoNCELabels,
    "supervised": Supervised,
}
METHODS: dict[str, type[Method]] = COMPARED | REPAIRS
