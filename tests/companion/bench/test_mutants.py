"""Mutants: what is changed and what is not, a draw that stays, and the whole command on a small tree."""

import ast
import json
import subprocess
import sys

import pytest

from companion.bench import mutants
from emargin.errors import InputError

CODE = '''"""Not this."""
LIMIT = 10


class Kind:
    flag: bool = True

    def set(self, value: int = 3) -> None:
        """Nor this."""
        self.value = value
        self.total += value
        self.clear()


def chosen(values, start, *, strict=False):
    if not strict and start >= LIMIT:
        raise ValueError(f"{start} is more than {LIMIT - 1}")
    for number in range(len(values)):
        if values[number] is None:
            continue
        values = values[start:] + values[: start]
    assert values, "words"
    return -(max(values) - 0.5)
'''


def changes(code=CODE, within=None):
    """Each change of a code as (line before, line after)."""
    text = code.encode()
    ways = [mutant for ways in mutants.mutants_of("code.py", text) for mutant in ways]
    for mutant in ways:
        ast.parse(mutant.mutated)
        assert mutant.mutated != text
    assert len({mutant.key for mutant in ways}) == len(ways)
    return {mutant.words for mutant in ways if within in (None, mutant.place.within)}


def test_every_kind_of_change():
    assert changes(within="") == {("LIMIT = 10", f"LIMIT = {other}") for other in ("11", "(9)", "100")}
    assert changes(within="Kind") == {("flag: bool = True", "flag: bool = False")}
    head = "def set(self, value: int = {}) -> None:"
    assert changes(within="Kind.set") == {
        *((head.format("3"), head.format(other)) for other in ("4", "(2)", "30")),
        ("self.value = value", "pass"),
        ("self.total += value", "self.total -= value"),
        ("self.total += value", "pass"),
        ("self.clear()", "pass"),
    }
    condition, cut = "if not strict and start >= LIMIT:", "values = values[start:] + values[: start]"
    last = "return -(max(values) - 0.5)"
    assert changes(within="chosen") == {
        ("def chosen(values, start, *, strict=False):", "def chosen(values, start, *, strict=True):"),
        (condition, "if (not (not strict and start >= LIMIT)):"),
        (condition, "if strict and start >= LIMIT:"),
        (condition, "if not strict or start >= LIMIT:"),
        (condition, "if not strict and start > LIMIT:"),
        ('raise ValueError(f"{start} is more than {LIMIT - 1}")', "pass"),
        ("for number in range(len(values)):", "for number in range(len(values) - 1):"),
        ("if values[number] is None:", "if (not (values[number] is None)):"),
        ("if values[number] is None:", "if values[number] is not None:"),
        ("continue", "break"),
        ("continue", "pass"),
        (cut, "values = values[start + 1:] + values[: start]"),
        (cut, "values = values[start:-1] + values[: start]"),
        (cut, "values = values[start:] - values[: start]"),
        (cut, "values = values[start:] + values[1: start]"),
        (cut, "values = values[start:] + values[: start - 1]"),
        (last, "return None"),
        (last, "return (max(values) - 0.5)"),
        (last, "return -(min(values) - 0.5)"),
        (last, "return -(max(values) + 0.5)"),
        (last, "return -(max(values) - 5.0)"),
        (last, "return -(max(values) - 0.05)"),
    }


def test_operators_are_met_behind_brackets_and_comments():
    code = "def f(a, b):\n    return (\n        (a)  # less\n        < (b)\n    ) != (a @ b)\n"
    assert ("< (b)", "<= (b)") in changes(code)
    assert (") != (a @ b)", ") == (a @ b)") in changes(code)


def test_types_imports_and_decorators_are_left_as_they_are():
    code = "from a import b\nAlias = tuple[int, 3]\n\n\n@b(1)\ndef f(x: b[2]) -> b[3]:\n    y: b[4] = cast(b[5], x)\n"
    assert changes(code) == set()


def places(text):
    return list(mutants.mutants_of("code.py", text.encode()))


def test_a_draw_is_seeded_and_hardly_moves_when_the_code_does():
    drawn = mutants.draw(places(CODE), 8, seed=1)
    assert [one.key for one in drawn] == [one.key for one in mutants.draw(places(CODE)[::-1], 8, seed=1)]
    assert {one.key for one in drawn} != {one.key for one in mutants.draw(places(CODE), 8, seed=2)}
    assert len({(one.place.start, one.place.stop) for one in drawn}) == 8
    longer = mutants.draw(places("import this\n" + CODE + "\n\nMORE = 4\n"), 8, seed=1)
    assert len({one.key for one in longer} & {one.key for one in drawn}) >= 7
    assert len(mutants.draw(places(CODE), 1000, seed=1)) == len(places(CODE))


def test_every_survivor_on_the_list_is_a_change_of_the_code_as_it_is():
    found = mutants.places_of(mutants.ROOT, list(mutants.TESTS))
    entries = mutants.known(mutants.ROOT, [ways for ways_of in found.values() for ways in ways_of])
    assert len(entries) == len(json.loads((mutants.ROOT / mutants.KNOWN).read_text(encoding="utf-8")))


SMALL = {
    "emargin/__init__.py": "",
    "emargin/errors.py": "class InputError(ValueError):\n    pass\n",
    "emargin/small.py": (
        "def larger(a, b):\n    return a if a > b else b\n\n\n"
        "def emptied(values):\n    while values:\n        values.pop()\n    return values\n"
    ),
    "tests/test_small.py": (
        "from emargin.small import emptied, larger\n\n\ndef test_larger():\n"
        "    assert larger(2, 1) == larger(1, 2) == 2\n\n\ndef test_emptied():\n    assert emptied([1, 2]) == []\n"
    ),
    "tests/mutants.json": json.dumps(
        [
            {
                "file": "emargin/small.py",
                "within": "larger",
                "line": "return a if a > b else b",
                "becomes": "return a if a >= b else b",
                "equivalent": True,
                "why": "Where both are equal, either is the larger.",
            }
        ]
    ),
    "pyproject.toml": "",
}
COMMAND = """
import sys
from pathlib import Path
from companion.bench import mutants
mutants.ROOT, mutants.TESTS = Path(sys.argv[1]), {"emargin/small.py": ["tests/test_*.py"]}
mutants.COPIED, mutants.LOADED, mutants.GRACE = ("emargin", "tests", "pyproject.toml"), (), 0.5
sys.exit(mutants.main(sys.argv[2:]))
"""


@pytest.fixture
def tree(tmp_path):
    for name, text in SMALL.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(tree, *options):
    command = [sys.executable, "-c", COMMAND, str(tree), "--out", str(tree / "runs" / "results.jsonl"), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=mutants.ROOT)
    assert not done.stderr or done.returncode == 2, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_command_tells_killed_endless_equivalent_and_surviving_mutants_apart(tree):
    status, said = run(tree)
    results = [json.loads(line) for line in (tree / "runs" / "results.jsonl").read_text().splitlines()]
    assert {(result["mutant"][3], result["outcome"], result["by"].partition("::")[2]) for result in results} == {
        ("return None", "killed", "test_larger"),
        ("return a if (not (a > b)) else b", "killed", "test_larger"),
        ("return a if a >= b else b", "survived", ""),
        ("while (not (values)):", "killed", "test_emptied"),
        ("pass", "timeout", ""),
        ("return None", "killed", "test_emptied"),
    }
    assert status == 0 and "Survivors" not in said
    assert said.splitlines()[-1].split() == ["all", "4", "1", "0", "1", "100.0%"]
    assert {path: (tree / path).read_text() for path in SMALL} == SMALL, "the tree itself is left alone"
    assert "6 mutants of seed 1, 0 to run" in run(tree)[1]

    tests = tree / "tests" / "test_small.py"
    tests.write_text(tests.read_text().replace("def test_larger", "def no_test"))
    status, said = run(tree)
    assert status == 1 and "6 mutants of seed 1, 6 to run" in said
    assert "emargin/small.py:2 larger\n    - return a if a > b else b\n    + return None" in said
    (tree / "tests" / "test_larger.py").write_text(SMALL["tests/test_small.py"].partition("def test_emptied")[0])
    status, said = run(tree)
    assert status == 0 and "6 mutants of seed 1, 4 to run" in said, "what a test has killed is not run again"


def test_an_entry_without_its_line_or_its_reason_is_an_error(tree):
    found = list(mutants.places_of(tree, ["emargin/small.py"]).values())[0]
    (entry,) = json.loads(SMALL["tests/mutants.json"])
    assert list(mutants.known(tree, found).values()) == [entry]
    for change, message in (
        ({"line": "return a if a > c else c"}, "fits no mutant.*a > c"),
        ({"why": ""}, "no reason"),
    ):
        (tree / "tests" / "mutants.json").write_text(json.dumps([entry | change]))
        with pytest.raises(InputError, match=message):
            mutants.known(tree, found)


def test_tests_that_are_not_there_or_fail_on_the_code_as_it_is_are_an_error(tree):
    with pytest.raises(InputError, match="tests of emargin/losses"):
        mutants.state_of(tree, "emargin/losses")
    (tree / "tests" / "test_small.py").write_text("def test_emptied():\n    assert False\n")
    status, said = run(tree)
    assert status == 2 and "fail before anything is changed" in said
