"""Training against the untrained control: what each trained configuration reads less than calibrated random weights."""

from collections.abc import Sequence

import pandas as pd

from companion.statistics.readable import CONTROLS, PROBE_METRICS

CONTROL = "random-calibrated"
NAMES = ["set", "dataset", "method", "fidelity", "reading", "labels"]


def against_untrained(configurations: pd.DataFrame, probes: Sequence[str] = PROBE_METRICS) -> pd.DataFrame:
    """Return a line a trained configuration, set and probe: its mean over seeds minus that of the control, "value".

    configurations: as `configurations.configurations` gives them. Sets without the control, and configurations
    without a value, have no line.
    """
    long = configurations.melt(NAMES, [probe for probe in probes if probe in configurations], "probe").dropna(
        subset="value"
    )
    controls = long[long.method == CONTROL].set_index(["set", "probe"]).value.rename("control")
    trained = long[~long.method.isin(CONTROLS)].join(controls, on=["set", "probe"], how="inner")
    return trained.assign(value=trained.value - trained.control).reset_index(drop=True)


def below_untrained(differences: pd.DataFrame) -> pd.DataFrame:
    """Return how many trained configurations read less than the control: "set", "probe", "below", "of", "share".

    differences: as `against_untrained` gives them.
    """
    below = differences.assign(below=differences.value < 0)
    counted = below.groupby(["set", "probe"], sort=False).below.agg(below="sum", of="size")
    return counted.assign(share=counted.below / counted.of).reset_index()
