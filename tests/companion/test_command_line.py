"""The installed command: all that `python -m emargin` has, and grids."""

import pytest

from companion.__main__ import main


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
