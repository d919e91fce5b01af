"""What lets other people's code be called here: packages that are absent, a GPU that is absent, and their float32.

Stand-ins take the place of packages for logging, plotting and the like, which that code imports and the compared
functions do not need. Of einops the two functions that rearrange axes are made, since compared functions call them.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from unittest.mock import MagicMock

import torch
from torch import Tensor

NOT_RUN = "could not be run"
STAND_INS = (
    "bottleneck",
    "cmat",
    "einops",
    "matplotlib",
    "pandarallel",
    "pytorch_lightning",
    "seaborn",
    "statsmodels",
    "tensorboard",
    "torchmetrics",
    "torchvision",
    "tqdm",
    "tsai",
    "tsaug",
    "tslearn",
    "wandb",
)


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what no other finder has found, if it belongs to a package of STAND_INS: every name in it is a mock."""

    def find_spec(self, name, path=None, target=None):
        known = name.partition(".")[0] in STAND_INS or name == "torch.utils.tensorboard"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__getattr__ = lambda name: MagicMock(name=name)
        if module.__name__ == "einops":
            module.rearrange, module.reduce = rearrange, reduce


class _NoTensorBoard(_StandIns):
    """Finds torch's own module for TensorBoard, which cannot be imported where TensorBoard is absent."""

    def find_spec(self, name, path=None, target=None):
        return super().find_spec(name) if name == "torch.utils.tensorboard" else None


def install(folder: str, *, double: bool) -> None:
    """Let modules be found in `folder` and stand-ins where nothing is; made for a process of its own.

    Parameters
    ----------
    folder : str
    double : bool
        Compute in float64 also what that code asks to be done on a GPU, in complex64 or in the default type.
    """
    sys.path.insert(0, folder)
    sys.meta_path.append(_StandIns())
    if double:
        sys.meta_path.insert(0, _NoTensorBoard())
        torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self
        torch.cfloat = torch.complex128


def need(name: str) -> None:
    """Raise ImportError where a stand-in has taken the place of a package whose numbers are needed."""
    if isinstance(importlib.import_module(name).__loader__, _StandIns):
        raise ImportError(f"No module named {name!r}")


def rearrange(tensor: Tensor | list[Tensor], pattern: str, **_: int) -> Tensor:
    """Permute the axes that the left side of `pattern` names, and join those in parentheses on the right side."""
    if isinstance(tensor, list):
        tensor = torch.stack(tensor)
    left, right = (side.replace("(", " ( ").replace(")", " ) ").split() for side in pattern.split("->"))
    names = [name for name in right if name not in "()"]
    sizes = dict(zip(left, tensor.shape, strict=True))
    shape: list[int] = []
    group: list[int] | None = None
    for name in right:
        if name == "(":
            group = []
        elif name == ")":
            shape.append(int(torch.tensor(group or [1]).prod()))
            group = None
        elif group is None:
            shape.append(sizes[name])
        else:
            group.append(sizes[name])
    return tensor.permute([left.index(name) for name in names]).reshape(shape)


def reduce(tensor: Tensor | list[Tensor], pattern: str, how: str) -> Tensor:
    """Take the mean over the axes that the right side of `pattern` lacks."""
    if how != "mean":
        raise NotImplementedError(how)
    left, right = (side.split() for side in pattern.split("->"))
    return rearrange(tensor, " -> ".join([" ".join(left)] * 2)).mean([left.index(n) for n in left if n not in right])
