"""Random wrong settings, by every way in: each is taken, or refused by the usual error, short, with no traceback."""

import json
import random
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.grid.plan import read_grid
from emargin.__main__ import add_run, execute, fields_of, new_parser
from emargin.config import BOUNDS, FIELDS, Experiment
from emargin.errors import InputError, NonFiniteGradient
from emargin.fields import LARGEST, SMALLEST
from emargin.flags import settings_from
from emargin.methods import METHODS, declaration
from emargin.resolve import resolve
from emargin.training import train
from tests.conftest import make_dataset

SETTINGS = {name for method in METHODS for name in declaration(method).fields}
NUMBERS = [0, -1, 1, -0.0, 1.5, 0.1, 1e300, -1e300, 1e-300, 5e-324, 1.8e308, 2**31, 2**32, 2**63, 10**20, 10**40]
NUMBERS += [-(10**40), 10**400, 10**5000, float("nan"), float("inf"), -float("inf")]
WORDS = ["", "  ", "\n", "\0", "/", ".", "a/b", "../..", "é", "\udc80", "x" * 5000, "/" + "x" * 5000, "x/" * 3000]
WORDS += ["*", ":", "1e-3", "1e400", "nan", "-inf", "true", "on", "None", "0x10", "1_0", "１", "--", "-", "%s", "{}"]
WORDS += ["%(default)s", "[1]", "ucr-", "ucr-../x", "a:", "a:b", ":b", "..:x", "json.decoder:JSONDecoder"]
WORDS += ["emargin.methods.base:Method"]
OTHERS = [True, False, None, [], {}, [1], {"a": 1}, (1, 2), {1, 2}, b"x", object, 1j, [[]] * 5000, Path("x" * 5000)]
OTHERS += [np.int64(3), np.float64("nan"), np.array([1, 2]), np.str_("x"), np.longdouble(1)]
OTHERS += [np.datetime64("2020-01-01")]
ODD = ["", "margn", "x" * 5000, "_x", "digest", "self", "values", "named", "__class__", "settings", "é", "a b", "--x"]


def wrong(draws: random.Random) -> dict[str, object]:
    """Up to three fields or settings with values that most of them do not allow, often of a certain method."""
    fields: dict[str, object] = {}
    if draws.random() < 0.5:
        fields["method"] = method = draws.choice(list(METHODS))
        fields["fidelity"] = draws.choice(declaration(method).fidelities)
    for _ in range(draws.randint(1, 3)):
        name = draws.choice(ODD if draws.random() < 0.15 else [*FIELDS, *sorted(SETTINGS)])
        kind = draws.choice((NUMBERS, NUMBERS, WORDS, WORDS, OTHERS, [draws.uniform(-10, 10), draws.randint(-99, 99)]))
        fields[name] = draws.choice(kind)
    return fields


def by_name(fields, folder):
    resolve(Experiment(**fields))


def by_json(fields, folder):
    resolve(Experiment.from_json(json.dumps(fields, default=str)))


def by_grid(fields, folder):
    (folder / "grid.json").write_text(json.dumps([fields], default=str))
    read_grid(folder / "grid.json")


def by_words(fields, folder):
    words = [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    parser, commands = new_parser()

    def command(options):
        resolve(Experiment(**fields_of(options), **settings_from(options.settings)))
        return 0

    add_run(commands).set_defaults(command=command)
    try:
        execute(parser, ["run", *words])
    except SystemExit as ended:
        assert ended.code in (0, 2)  # 0: a value that is -h asks for help


WAYS = [by_name, by_json, by_grid, by_words]


def raw_errors(way, number: int, folder: Path) -> list[str]:
    draws, found = random.Random(way.__name__), []
    for fields in (wrong(draws) for _ in range(number)):
        try:
            json.dumps(fields, default=str), str(fields)
        except (ValueError, RecursionError, TypeError):
            if way is not by_name:
                continue  # no file and no command line can hold it
        try:
            way(fields, folder)
        except InputError as error:
            if len(str(error)) > 3000:
                found.append(f"long: {str(error)[:200]}")
        except UserWarning:
            continue  # which the tests turn into an exception
        except Exception:
            found.append(traceback.format_exc()[-500:])
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_wrong_setting_ends_in_a_traceback(way, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert raw_errors(way, 500, tmp_path) == []


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_nor_do_thousands(way, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert raw_errors(way, 10_000, tmp_path) == []


def extremes():
    """The least and the greatest that are allowed of each number that a method's loss takes."""
    for method in METHODS:
        declared = declaration(method)
        numbers = {name: field for name, field in declared.fields.items() if field.kind is float}
        bounds = {name: (field.least or SMALLEST, field.most or LARGEST) for name, field in numbers.items()}
        for fidelity in declared.fidelities if numbers or method == "infonce" else ():
            for name, ends in {**bounds, "temperature": (BOUNDS["temperature"]["least"], LARGEST)}.items():
                yield from ((method, fidelity, name, end) for end in ends)


@pytest.mark.parametrize(("method", "fidelity", "name", "value"), list(extremes()))
def test_what_is_allowed_trains(method, fidelity, name, value):
    asked = {"dataset": "ecg-sim", "sequence_length": 10, "batch_size": 3, "iterations": 2, "seed": 1}
    experiment = resolve(Experiment(method=method, fidelity=fidelity, **asked, **{name: value}))
    try:
        curve = train(experiment, make_dataset(), progress=False)[1]
    except NonFiniteGradient:
        pytest.fail("refuse such a value before the training")
    assert torch.isfinite(torch.tensor(curve[-1]["loss"]))
