"""The command line's flags: fields of an experiment, and the settings that its method declares."""

import argparse

import pytest

from emargin.__main__ import main
from emargin.config import Experiment
from emargin.errors import InputError
from emargin.flags import add_flags, help_of, settings_from
from emargin.methods import METHODS, declaration
from emargin.resolve import resolve


def read(*words) -> Experiment:
    """What `emargin run` makes of its words."""
    parser = argparse.ArgumentParser()
    add_flags(parser)
    options, rest = parser.parse_known_args(words)
    asked = Experiment(**vars(options))
    return Experiment(**vars(options), **settings_from(asked.method, rest))


def test_fields_and_settings_are_flags():
    asked = read("--dataset", "ecg", "--quick", "--margin", "3", "--sequence-length=50", "--threshold=-0.5")
    assert asked == Experiment(dataset="ecg", quick=True, margin=3, sequence_length=50, threshold=-0.5)
    assert read("--method", "infonce", "--sides", "1").sides == 1
    assert read("--method", "supervised", "--fidelity", "original", "--label-share", "0.5").label_share == 0.5


def test_a_negative_value_is_a_value():
    assert read("--threshold", "-0.5", "--seed", "2") == Experiment(threshold=-0.5, seed=2)


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


def test_other_commands_take_no_settings(capsys):
    with pytest.raises(SystemExit):
        main(["methods", "--margin", "3"])
    assert "unrecognized arguments: --margin 3" in capsys.readouterr().err


def test_help_and_the_list_of_methods_name_every_setting(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    helped = capsys.readouterr().out
    assert main(["methods"]) == 0
    listed = capsys.readouterr().out
    for name in METHODS:
        for field in declaration(name).fields:
            assert f"--{field.replace('_', '-')} " in help_of(name)
        assert help_of(name) in helped and help_of(name) in listed
    assert "--sides        int    2 (released), 1 (original) of 1, 2; neighbours" in helped
