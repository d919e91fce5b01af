"""The command line's flags: fields of an experiment, and the settings that its method declares."""

import argparse

import pytest

import emargin
from companion.__main__ import main as companion_main
from emargin.__main__ import main
from emargin.config import CHOICES, FIELDS, Experiment
from emargin.data.catalogue import DATASETS
from emargin.errors import InputError
from emargin.flags import add_flags, settings_from
from emargin.methods import METHODS
from emargin.resolve import resolve


def read(*words) -> Experiment:
    """What `emargin run` makes of its words."""
    parser = argparse.ArgumentParser()
    add_flags(parser)
    options, rest = parser.parse_known_args(words)
    return Experiment(**vars(options), **settings_from(rest))


def test_fields_and_settings_are_flags():
    asked = read("--dataset", "ecg", "--quick", "--margin", "3", "--sequence-length=50", "--threshold=-0.5")
    same = Experiment(dataset="ecg", quick=True, margin=3, sequence_length=50, threshold=-0.5)
    assert resolve(asked) == resolve(same)
    assert resolve(read("--method", "infonce", "--sides", "1")).sides == 1
    supervised = read("--method", "supervised", "--fidelity", "original", "--label-share", "0.5")
    assert resolve(supervised).label_share == 0.5


@pytest.mark.parametrize(("words", "quick"), [([], True), (["true"], True), (["on"], True), (["no"], False)])
def test_a_switch_may_be_followed_by_its_value(words, quick):
    assert read("--quick", *words, "--seed", "2") == Experiment(quick=quick, seed=2)


def test_a_negative_value_is_a_value():
    assert resolve(read("--threshold", "-0.5", "--seed", "2")) == resolve(Experiment(threshold=-0.5, seed=2))
    assert resolve(read("--threshold", "-1e-1")).threshold == -0.1


def test_a_flag_is_not_guessed_from_its_beginning():
    with pytest.raises(InputError, match="unknown parameter.*'see'"):
        resolve(read("--see", "3"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--margin"], "cannot be read.*--margin.*--NAME VALUE"),
        (["--margin", "--labels", "paper"], "cannot be read.*--margin"),
        (["margin", "3"], "cannot be read.*'margin'"),
        (["--margn", "3"], "unknown parameter.*'margn'.*did you mean 'margin'"),
        (["--margin", "big"], "margin has the wrong type.*'big'.*float"),
        (["--method", "infonce", "--margin", "3"], "margin has no meaning for infonce"),
        (["--method", "emargn", "--margin", "3"], "unknown method.*did you mean 'emargin'"),
    ],
)
def test_words_that_make_no_sense_are_named_with_status_2(words, message, capsys):
    with pytest.raises(InputError, match=message):
        resolve(read(*words))
    assert main(["run", *words]) == 2


@pytest.mark.parametrize("words", [["--seed", "1", "--seed=2"], ["--margin=1", "--quick", "--margin", "2"]])
def test_a_flag_that_is_given_twice_is_named(words, capsys):
    assert main(["run", *words, "--dataset", "none"]) == 2
    said = f"emargin: given twice, the last one counts: {words[0].partition('=')[0]}\n"
    assert capsys.readouterr().err.startswith(said)


def test_other_commands_take_no_settings(capsys):
    with pytest.raises(SystemExit):
        companion_main(["methods", "--margin", "3"])
    assert "unrecognized arguments: --margin 3" in capsys.readouterr().err


def test_the_help_says_of_every_field_what_it_is_and_what_it_may_be(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    helped = " ".join(capsys.readouterr().out.split())
    for name, sentence in {
        "--fold INT": "Which of the data set's splits, from 1. Default: 1.",
        "--n-fft INT": "Window of the STFT, in samples. Default: that of the data set.",
        "--fidelity STR": "its own paper defines it. One of released, original. Default: released.",
        "--quick [BOOL]": "switched off for real data. Default: False.",
    }.items():
        assert sentence in helped.partition(f" {name} ")[2].partition(" --")[0], name
    parser = argparse.ArgumentParser()
    add_flags(parser)
    flags = {action.dest: action.help for action in parser._actions}
    assert all(flags[name].split(". Default")[0].count(" ") >= 3 for name in FIELDS), flags
    for name, choices in {**CHOICES, "method": METHODS, "dataset": DATASETS}.items():
        assert f"One of {', '.join(choices)}. " in flags[name]


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"{emargin.__version__}\n"


@pytest.mark.parametrize(
    "name", ["meta", "cuda:99", "gpu", "", "vulkan", "hpu", "xla", "lazy", "fpga", "ipu", "cpu:-3"]
)
def test_a_device_that_cannot_compute_is_named(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--device", name])
    assert ended.value.code == 2 and f"no device '{name}' on this machine. found: " in capsys.readouterr().err
    with pytest.raises(InputError, match="on this machine"):
        emargin.run(Experiment(), device=name)
