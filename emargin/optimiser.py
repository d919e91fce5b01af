"""AdamW, as torch computes it.

The update is a function of torch, in its fused form: a single pass over a parameter instead of ten. What is left out is
the class around it, `torch.optim.AdamW`, whose first use imports torch's compiler. That takes two seconds, as long as a
whole run of the quick profile.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class AdamW:
    """Moments and steps of each parameter, with torch's defaults: beta 0.9 and 0.999, epsilon 1e-8.

    Without weight decay it is Adam. A parameter without a gradient is left alone, decay included.

    Parameters
    ----------
    parameters : iterable of Tensor
        Those that a step changes.
    learning_rate, weight_decay : float

    References
    ----------
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (arXiv 1711.05101).
    """

    def __init__(self, parameters: Iterable[Tensor], *, learning_rate: float, weight_decay: float = 0.0):
        self.parameters = list(parameters)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.means = [torch.zeros_like(p, memory_format=torch.preserve_format) for p in self.parameters]
        self.squares = [torch.zeros_like(p, memory_format=torch.preserve_format) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, unless: Tensor | None = None) -> None:
        """Change the parameters by their gradients.

        Parameters
        ----------
        unless : Tensor, optional
            A scalar on the device of the parameters: where it is 1, nothing changes. The CPU does not wait for it.
        """
        held = [number for number, parameter in enumerate(self.parameters) if parameter.grad is not None]
        parameters, means, squares, steps = (
            [values[number] for number in held] for values in (self.parameters, self.means, self.squares, self.steps)
        )
        adamw(
            parameters,
            [cast(Tensor, parameter.grad) for parameter in parameters],
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
            found_inf=unless,
        )

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return the moments and the numbers of steps; they go on changing with further steps."""
        return {"means": self.means, "squares": self.squares, "steps": self.steps}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Copy in what `state_dict` of another optimiser gave; the two share no memory."""
        for name, values in self.state_dict().items():
            for value, loaded in zip(values, state[name], strict=True):
                value.copy_(loaded)
