"""Functions of the released code beside ours, on the same inputs, for a reader who has that repository on disk.

The released code runs in a process of its own, and its folder is not written to. Packages that it imports may be
absent, see `companion.audit.stand_ins`.
"""

import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from companion.audit.differences import MARGIN, normal
from companion.audit.stand_ins import NOT_RUN, install
from emargin.data.catalogue import HARTH
from emargin.encoders import FrameEncoder
from emargin.errors import InputError
from emargin.losses import emargin_released, info_nce
from emargin.losses.hierarchical import hierarchical
from emargin.methods.infots import global_loss, local_loss
from emargin.methods.mfclr import feature_contrast
from emargin.methods.simmtm import contrast_and_average
from emargin.pseudo_labels import pseudo_labels

LOSSES, LABELS = "src.losses.contrastive", "baselines.emargin"
FOUR = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


@dataclass(frozen=True)
class Check:
    """One function of the released code and ours, to be called on the same input.

    theirs takes a function that imports a module of the released code by name. Both return a tensor.
    """

    item: str
    what: str
    ours: Callable[[], Tensor]
    theirs: Callable[[Callable], Tensor]


def _labels(threshold: float) -> Check:
    return Check(
        "D1",
        f"labels of four frames, threshold {threshold}",
        lambda: pseudo_labels(FOUR, threshold=threshold, rule="released", wrap=True).double(),
        lambda load: load(LABELS).check_next_two_elements_tensor_double(FOUR.clone(), threshold),
    )


def _info_nce(name: str, sides: int) -> Check:
    rows = normal(40, 8)
    return Check(
        "D11",
        f"{name}, 40 frames",
        lambda: info_nce(rows[None], temperature=0.5, sides=sides, scope="flattened"),
        lambda load: getattr(load(LOSSES), name)(temperature=0.5)(rows),
    )


def _margin(
    item: str,
    name: str,
    what: str,
    *,
    label: int,
    temperature: float,
    margin: float = MARGIN,
    rows: Tensor | None = None,
    gradient: bool = False,
) -> Check:
    rows = (normal(40, 8).abs() if rows is None else rows).requires_grad_()
    sides = 2 if name == "LS_MARGIN_LOSS" else 1
    labels = torch.full((len(rows) + sides - 2,), float(label), dtype=rows.dtype)

    def ours():
        loss, negative = emargin_released(rows[None], labels, temperature=temperature, margin=margin, sides=sides)
        if gradient:
            return torch.autograd.grad(loss, rows)[0]
        return loss if negative == 0 else torch.full_like(loss, math.nan)

    def theirs(load):
        loss = getattr(load(LOSSES), name)(temperature=temperature, margin=margin)(rows, labels)
        return torch.autograd.grad(loss, rows)[0] if gradient else loss

    return Check(item, f"{name}, {what}", ours, theirs)


def _simmtm(item: str, what: str, part: int) -> Check:
    rows = normal(16, 6)

    def theirs(load):
        module = load("src.losses.simmtm_losses")
        loss, similarity, *_ = module.ContrastiveWeight(temperature=0.2)(rows)
        return loss if part == 0 else module.AggregationRebuild(temperature=0.2)(similarity, rows)[1].flatten(1)

    return Check(item, what, lambda: contrast_and_average(rows, rows)[part], theirs)


def checks() -> list[Check]:
    """Return what is compared, in the ledger's order."""
    first, second, nothing = normal(4, 16, 6), normal(4, 16, 6, seed=1), torch.empty(4, 16, 0, dtype=torch.float64)
    alike = 0.2 * normal(952, 8) + 1  # neighbours this similar make the argument negative at HARTH's temperature
    return [
        _labels(0.4),
        _labels(-0.5),
        _margin("D2", "LS_MARGIN_LOSS", "label 1", label=1, temperature=0.5),
        _margin("D3", "LS_MARGIN_LOSS", "label 0", label=0, temperature=0.5),
        _margin("D5", "MARGIN_LOSS", "label 1", label=1, temperature=0.5),
        _margin("D5", "MARGIN_LOSS", "label 0", label=0, temperature=0.5),
        _margin("D6", "LS_MARGIN_LOSS", "similar frames", label=1, temperature=HARTH.temperature, rows=alike),
        _margin(
            "D6", "LS_MARGIN_LOSS", "its gradient", label=1, temperature=HARTH.temperature, rows=alike, gradient=True
        ),
        _margin("D7", "LS_MARGIN_LOSS", "margin 100, float64", label=1, temperature=0.5, margin=100.0),
        _info_nce("LS_HATCL_LOSS", 2),
        _info_nce("HATCL_LOSS", 1),
        Check(
            "D22",
            "local_infoNCE, the first of four sequences",
            lambda: local_loss(first[:1]),
            lambda load: load(LOSSES).local_infoNCE(first, second, k=8),
        ),
        Check(
            "D22",
            "global_infoNCE",
            lambda: global_loss(first, second),
            lambda load: load(LOSSES).global_infoNCE(first, second),
        ),
        _simmtm("D25", "SimMTM's contrast of frames", 0),
        _simmtm("D25", "SimMTM's weighted average", 1),
        Check(
            "D28",
            "hier_CL_soft, both switches off",
            lambda: hierarchical(first, second),
            lambda load: load("models.soft_losses").hier_CL_soft(first, second, None),
        ),
        Check(
            "D30",
            "MF-CLR's feature term without coarse features",
            lambda: feature_contrast(first, second, nothing, nothing),
            lambda load: load("models.mfclrloss").feature_contrastive_loss(first, second, nothing, nothing),
        ),
        Check(
            "D31",
            "parameters of the frame encoder",
            lambda: _count(FrameEncoder(156)),
            lambda load: _count(load("src.models.attention_model").FeatureProjector(156, 320)),
        ),
    ]


def _count(module: torch.nn.Module) -> Tensor:
    return torch.tensor(float(sum(weight.numel() for weight in module.parameters())))


def call_released(folder: str, answer: str) -> None:
    """Call the released code of `folder` for every check and write what it gives to the JSON file `answer`.

    Made for a process of its own: it changes where modules are found. A function that fails is answered by its error; a
    module that cannot be imported by NOT_RUN and what is missing, since nothing was compared then.
    """
    install(folder, double=False)
    answers = []
    for check in checks():
        try:
            answers.append(check.theirs(importlib.import_module).detach().double().flatten().tolist())
        except ImportError as error:
            answers.append(f"{NOT_RUN}: {error}")
        except Exception as error:  # any error of that code is its answer, and the reader sees it in the table
            answers.append(f"{type(error).__name__}: {error}")
    Path(answer).write_text(json.dumps(answers), encoding="utf8")


def compare(folder: Path) -> list[tuple[Check, list[float], list[float] | str]]:
    """Return each check with our values and theirs, or with the error that the released code gave.

    Raises InputError where the process that runs the released code ends without an answer.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        ours = Path(__file__).resolve().parents[2]
        settings = os.environ | {
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(ours), os.environ.get("PYTHONPATH", "")]),
        }
        program = "import sys; from companion.audit.released import call_released; call_released(*sys.argv[1:])"
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder.resolve()), str(answer)],
            cwd=scratch,
            env=settings,
            capture_output=True,
            text=True,
        )
        if not answer.exists():
            raise InputError(
                "the process that runs the released code ended without an answer",
                found=f"exit status {done.returncode}; {done.stderr.strip()[-500:] or 'no message'}",
            )
        theirs = json.loads(answer.read_text(encoding="utf8"))
    return [
        (check, check.ours().detach().double().flatten().tolist(), value)
        for check, value in zip(checks(), theirs, strict=True)
    ]


def difference(ours: list[float], theirs: list[float] | str) -> float:
    """Return the largest relative difference of two lists, 0 where both have NaN, infinite where they do not fit."""
    if isinstance(theirs, str) or len(ours) != len(theirs):
        return math.inf
    nan = [(math.isnan(a), math.isnan(b)) for a, b in zip(ours, theirs, strict=True)]
    if any(a != b for a, b in nan):
        return math.inf
    return max(
        (abs(a - b) / max(1.0, abs(a)) for a, b in zip(ours, theirs, strict=True) if not math.isnan(a)), default=0.0
    )
