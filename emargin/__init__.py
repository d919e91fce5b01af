"""Contrastive learning for time series with a margin: the method of the eMargin paper, its rivals, and their scores.

All that an experiment needs is imported from here. An `Experiment` is plain data; `run` loads what it names, trains
the method and scores its embeddings. Here eMargin on a simulated ECG, and InfoNCE, the same without the margin:

>>> from emargin import Experiment, run
>>> experiment = Experiment(dataset="ecg-sim", method="emargin", margin=5, quick=True, iterations=10)
>>> margin = run(experiment, progress=False)
>>> control = run(experiment.for_method("infonce"), progress=False)

Already after ten steps the margin's clusters score better by themselves, and agree less with the true classes:

>>> margin["silhouette"] > control["silhouette"]
True
>>> margin["nmi"] < control["nmi"]
True

What the margin does is seen without data. `phi` maps the cosine of two frames, by their pseudo-label:

>>> import torch
>>> from emargin import phi, pseudo_labels
>>> frames = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
>>> labels = pseudo_labels(frames, threshold=0.7)
>>> labels
tensor([False,  True])
>>> phi(torch.tensor([0.8, 0.6]), labels, margin=1.0)
tensor([0.3200, 0.0800])

The first pair is alike, and phi grows with its cosine. The second is not, and phi falls to nothing at the margin.

Names are imported when they are first used, so `import emargin` is quick; torch comes with the first that needs it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emargin.config import Experiment
    from emargin.data.loading import load
    from emargin.embedding import load_encoder
    from emargin.estimator import EMarginEncoder
    from emargin.evaluation.clustering import cluster
    from emargin.evaluation.probing import linear_probe
    from emargin.evaluation.tsne import tsne
    from emargin.experiment import Result, run
    from emargin.losses import emargin_loss, emargin_released, info_nce, phi, psi
    from emargin.methods import METHODS, Method
    from emargin.pseudo_labels import pseudo_labels
    from emargin.resolve import resolve
    from emargin.training import train

__version__ = "0.1.0"
__all__ = [
    "METHODS",
    "EMarginEncoder",
    "Experiment",
    "Method",
    "Result",
    "cluster",
    "emargin_loss",
    "emargin_released",
    "info_nce",
    "linear_probe",
    "load",
    "load_encoder",
    "phi",
    "pseudo_labels",
    "psi",
    "resolve",
    "run",
    "train",
    "tsne",
]

_NAMES = {
    "emargin.config": ["Experiment"],
    "emargin.resolve": ["resolve"],
    "emargin.experiment": ["run", "Result"],
    "emargin.data.loading": ["load"],
    "emargin.embedding": ["load_encoder"],
    "emargin.estimator": ["EMarginEncoder"],
    "emargin.training": ["train"],
    "emargin.methods": ["METHODS", "Method"],
    "emargin.pseudo_labels": ["pseudo_labels"],
    "emargin.losses": ["phi", "psi", "info_nce", "emargin_loss", "emargin_released"],
    "emargin.evaluation.clustering": ["cluster"],
    "emargin.evaluation.probing": ["linear_probe"],
    "emargin.evaluation.tsne": ["tsne"],
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names}


class _Package(ModuleType):
    """The package itself, in which `resolve` and `pseudo_labels` are the functions, not the modules that hold them.

    Python would put a module in its function's place as soon as anything imports it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _PLACES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
