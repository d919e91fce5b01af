"""What the page on training measures before the first step."""

import torch

from emargin.data.dataset import Dataset
from emargin.evaluation import collapse
from emargin.resolve import Resolved
from emargin.training import train


def untrained_batch(experiment: Resolved, data: Dataset, device: torch.device | str = "cpu") -> dict[str, float]:
    """Return the collapse diagnostics of one training batch before training, under the names that a curve has.

    The encoder has the experiment's initial weights, with BatchNorm statistics of the training data, and the batch is
    drawn with its seed.
    """
    untrained, _ = train(experiment.for_method("random-calibrated"), data, device=device, progress=False)
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(experiment.seed))
    with torch.no_grad():
        embedding = untrained.encode(data.train.batch(order[: experiment.batch_size]).to(device)).flatten(0, 1)
    return {
        "mean_cosine": collapse.mean_cosine(embedding),
        "participation_ratio": collapse.participation_ratio(embedding),
    }
