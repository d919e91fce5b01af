"""The figure of beats: a mark a probe and side, where the numbers are."""

import numpy as np
import pandas as pd
import pytest

from companion.figures import beats as figures
from companion.statistics.beats import ALL, COMMON, READ

PROBES = list(READ.values())


def table(values: dict[tuple[str, str], float], scored=ALL, **more) -> pd.DataFrame:
    lines = [
        {"tested": side, "by": by, "scored": scored, "value": value, "low": value - 0.1, "high": value + 0.1} | more
        for (side, by), value in values.items()
    ]
    return pd.DataFrame(lines)


def test_controls_are_drawn_above_chance_and_differences_as_they_are():
    controls = table({("DS2", PROBES[0]): 0.4, ("DS1", PROBES[0]): 0.3, ("both", PROBES[0]): 0.9}, chance=0.25)
    controls = pd.concat([controls, table({("DS2", PROBES[0]): 0.8}, COMMON, chance=1 / 3)])
    differences = table({("DS2", PROBES[0]): -0.2, ("DS2", PROBES[5]): 0.1})
    differences.loc[1, ["low", "high"]] = np.nan
    fig = figures.sides(controls, {"first less second": differences}, "made")
    left, right = fig.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [PROBES[0], PROBES[5]]
    drawn = {line.get_label(): list(line.get_xdata()) for line in left.lines if line.get_label().startswith("tested")}
    assert drawn == {"tested on DS2": pytest.approx([0.15]), "tested on DS1": pytest.approx([0.05])}
    marks = {line.get_label(): list(line.get_xdata()) for line in right.lines}
    assert marks["tested on DS2"] == pytest.approx([-0.2, 0.1]) and right.get_title(loc="left").split() == [
        "first",
        "less",
        "second",
    ]
    (bar,) = left.collections[0].get_segments()
    assert bar[:, 0] == pytest.approx([0.05, 0.25])
    assert right.get_xlim() == pytest.approx((-0.32, 0.32))
