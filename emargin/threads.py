"""How many threads a run computes with: one unless told otherwise.

Sums come out in another order with another number of threads, so most scores differ in their last digits. For the
encoder here a second thread gains nothing, and beside other processes it costs many times what it saves.
"""

from typing import Any

import torch
from threadpoolctl import threadpool_limits

from emargin.fields import in_range, typed

THREADS = 1


class limited:
    """Compute with so many threads from here on, in torch and in the libraries below numpy and scikit-learn.

    As a context it restores what was before::

        with limited(1):
            train(experiment, dataset)

    Parameters
    ----------
    number : int

    Raises
    ------
    InputError
        For a number that is no whole number from 1 to 1024.
    """

    def __init__(self, number: int = THREADS):
        threads: Any = typed("threads", int, number)
        in_range("threads", threads, least=1, most=1024)
        self.before = torch.get_num_threads()
        torch.set_num_threads(threads)
        self.libraries = threadpool_limits(threads)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self.libraries.restore_original_limits()
        torch.set_num_threads(self.before)
