"""One file a method; this dictionary names them for the configuration, the command line and the book."""

from emargin.methods.base import Method
from emargin.methods.cost import CoST
from emargin.methods.cpc import CPC
from emargin.methods.emargin import EMargin
from emargin.methods.infonce import InfoNCE
from emargin.methods.infots import InfoTS
from emargin.methods.mfclr import MFCLR
from emargin.methods.random import Random, RandomCalibrated
from emargin.methods.simmtm import SimMTM
from emargin.methods.softclt import SoftCLT
from emargin.methods.timedrl import TimeDRL
from emargin.methods.tnc import TNC
from emargin.methods.ts2vec import TS2Vec

METHODS: dict[str, type[Method]] = {  # in the order of the paper's tables; the controls first
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
