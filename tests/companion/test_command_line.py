"""The installed command: all that `python -m emargin` has, and grids."""

import argparse

import pytest

from companion import __main__ as command_line
from companion.__main__ import main
from companion.listing import help_of
from emargin.methods import METHODS, declaration


def test_together_is_a_number(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--grid", "workflow/quick.json", "--together", "0"])
    assert stopped.value.code == 2 and "'0', but wanted is one or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "no.json", "--seed", "2"], "a grid file says all"),
        (["--grid", "no.json", "--margin", "3"], "a grid file says all about its cells. found: --margin, 3"),
        (["--grid", "no.json"], "cannot be read"),
        (["--method", "emargn"], "did you mean 'emargin'"),
    ],
)
def test_bad_input_is_reported_without_a_traceback(words, message, capsys):
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_it_has_the_commands_of_one_experiment_too(capsys):
    assert main(["methods"]) == 0
    assert "emargin " in capsys.readouterr().out
    assert main(["data", "list"]) == 0
    assert "dsads" in capsys.readouterr().out


def test_help_and_the_list_of_methods_name_every_setting(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    helped = capsys.readouterr().out
    assert main(["methods"]) == 0
    listed = capsys.readouterr().out
    for name in METHODS:
        assert f"{name} " in listed
        for field in declaration(name).fields:
            assert f"--{field.replace('_', '-')} " in help_of(name)
        assert help_of(name) in listed and " ".join(help_of(name).split()) in " ".join(helped.split())  # lines wrap


def test_every_option_of_every_command_says_what_it_is(monkeypatch):
    parsers = []
    monkeypatch.setattr(command_line, "execute", lambda parser, arguments: parsers.append(parser) or 0)
    main([])
    silent = []
    for parser in parsers:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
                silent += [f"{parser.prog} {name}" for name in action.choices if not _help(action, name)]
            elif not action.help:
                silent.append(f"{parser.prog} {action.dest}")
    assert silent == [] and len(parsers) > 12


def _help(action: argparse._SubParsersAction, name: str) -> str | None:
    return next((choice.help for choice in action._choices_actions if choice.dest == name), None)
