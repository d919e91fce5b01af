"""Made-up recordings: CSV files as three people's sensors might leave them, for the pages on a reader's own data."""

from pathlib import Path

import numpy as np
import pandas as pd

RATE = 25  # samples a second
STEPS = {"rest": (0.0, 0.02), "walk": (1.8, 0.3), "run": (2.7, 0.9)}  # steps a second, their size in g
BOUTS = [("rest", 40), ("walk", 50), ("", 10), ("run", 30), ("walk", 40), ("rest", 30), ("run", 40)]  # seconds
PEOPLE = ("anna", "ben", "carla")


def tables() -> dict[str, pd.DataFrame]:
    """Return four minutes of each person, a row a sample: time, three channels, and a label where somebody looked."""
    generator = np.random.default_rng(2)
    return {person: _walked(generator) for person in PEOPLE}


def write(folder: Path | str) -> None:
    """Write a CSV file a person into a new folder.

    Carla's is as a German spreadsheet program writes it, and lacks three rows and 20 s; a minute of it is out of order.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    made = tables()
    for person in PEOPLE[:2]:
        made[person].to_csv(folder / f"{person}.csv", index=False)
    late = made["carla"].drop(index=[*range(300, 303), *range(2000, 2500)])
    shuffled = pd.concat([late[:1000], late[2500:], late[1000:2500]])
    german = {"sep": ";", "decimal": ",", "encoding": "utf-8-sig", "lineterminator": "\r\n"}
    shuffled.to_csv(folder / "carla.csv", index=False, **german)


def _walked(generator: np.random.Generator) -> pd.DataFrame:
    names = np.concatenate([np.repeat(*BOUTS[number]).repeat(RATE) for number in generator.permutation(len(BOUTS))])
    pace, size = np.array([STEPS[name or "walk"] for name in names]).T
    phase = 2 * np.pi * np.cumsum(pace * generator.normal(1, 0.05)) / RATE
    waves = {
        "up": 1 + size * np.cos(phase),
        "side": 0.4 * size * np.cos(phase / 2),
        "ahead": 0.5 * size * np.sin(phase),
    }
    values = {name: wave + generator.normal(0, 0.03, len(wave)) for name, wave in waves.items()}
    start = pd.Timestamp("2026-03-02 09:00", tz="Europe/Berlin")
    times = pd.date_range(start, periods=len(names), freq=f"{1000 // RATE}ms").map(pd.Timestamp.isoformat)
    return pd.DataFrame({"time": times, **values, "label": names}).round(4)
