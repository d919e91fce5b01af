"""What changes the fingerprint of a stage, and what does not, on small sources made up for it."""

import itertools
import linecache
import os
import subprocess
import sys
import textwrap
import types

import pytest

from emargin import fingerprint
from emargin.errors import InputError
from emargin.fingerprint import Source, Stage, reached

TEXT = """
    from dataclasses import dataclass

    from emargin.other import helper, Held

    FACTOR = 3
    UNUSED = 1
    ENCODERS = {"frame": "linear", "context": helper}


    def root(values: list, held: Held, *, factor: int = 2) -> float:
        \"\"\"Words.\"\"\"
        total = 0.0  # a remark
        for value in values:
            total += value * FACTOR
        if factor < 0:
            raise ValueError(f"factor {factor}")
        assert total is not None
        shares = [value / total for value in values]
        return helper(total, factor=factor) + len(shares) + held.size()


    def aside():
        return UNUSED


    def picks(experiment):
        return ENCODERS[experiment.encoder]


    def branches(experiment):
        if experiment.fidelity == "released":
            return helper(1, factor=2)
        return FACTOR


    class Base:
        title = "A name"

        def __init__(self, experiment):
            self.released = experiment.fidelity == "released"


    class Method(Base):
        summary = "words"

        def loss(self, one, two):
            return helper(one, factor=2) if self.released else FACTOR
    """
OTHER = """
    POWER = 2


    def helper(number, factor):
        return number ** POWER / factor


    class Held:
        n: int = 0

        def size(self):
            return POWER + self.n
    """


@pytest.fixture
def digest(tmp_path):
    """The fingerprint of a stage of a small package, after replacements in its text."""
    calls = iter(range(100))

    def made(*replacements, root="emargin.module:root", other=(), facts=(), left_out=(), name="module"):
        folder = tmp_path / str(next(calls)) / "emargin"
        folder.mkdir(parents=True)
        text, helper_text = textwrap.dedent(TEXT), textwrap.dedent(OTHER)
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        for old, new in other:
            assert old in helper_text
            helper_text = helper_text.replace(old, new)
        (folder / f"{name}.py").write_text(text)
        (folder / "other.py").write_text(helper_text)
        stage = Stage((root,), frozenset(left_out), tuple(facts))
        return fingerprint.fingerprint(stage, Source(folder.parent))

    return made


@pytest.mark.parametrize(
    "replacement",
    [
        ("Words.", "Other words."),
        ("  # a remark", ""),
        ("list, held", "tuple, held"),
        ("-> float", "-> int"),
        ("factor {factor}", "another sentence: {values}"),
        ("    assert total is not None\n", ""),
        ("    assert total is not None\n", "    check_total(total)\n    held.check_size(total)\n"),
        ("values * FACTOR" if False else "total += value * FACTOR", "total += (value\n                  * FACTOR)"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("\ndef aside", "\ndef more():\n    return FACTOR\n\n\ndef aside"),
        ("FACTOR", "MULTIPLE"),
        ("total", "weighted_sum"),
        ("shares = [value / total for value in values]", "shares = [v / total for v in values]"),
        ("for value in values:\n        total += value", "for entry in values:\n        total += entry"),
        ("helper", "helper"),
    ],
)
def test_what_changes_no_number_changes_no_fingerprint(digest, replacement):
    assert digest(replacement) == digest()


@pytest.mark.parametrize(
    "replacement",
    [
        ("FACTOR = 3", "FACTOR = 4"),
        ("FACTOR = 3", "FACTOR = 3.0"),
        ("value * FACTOR", "value + FACTOR"),
        ("total = 0.0", "total = 1.0"),
        ("factor: int = 2", "factor: int = 3"),
        ("factor < 0", "factor <= 0"),
        ("held.size()", "held.length()"),
        ("factor=factor)", "factor=total)"),
        ("helper(total, factor=factor)", "helper(factor, factor=factor)"),
        ("        total += value * FACTOR\n", "        total += value * FACTOR\n        break\n"),
    ],
)
def test_what_may_change_a_number_changes_the_fingerprint(digest, replacement):
    assert digest(replacement) != digest()


def test_what_a_check_returns_counts(digest):
    line = "    assert total is not None\n"
    assert digest((line, "    total = check_total(total)\n")) != digest()
    assert digest((line, "    unchecked(total)\n")) != digest()


@pytest.mark.parametrize(
    ("replacement", "changes"),
    [
        (("POWER = 2", "POWER = 3"), True),
        (("POWER + self.n", "POWER - self.n"), True),  # a class that an annotation alone leads to
        (("    n: int = 0\n", "    n: int = 1\n"), False),  # its fields are filled where it is made
        (("POWER", "EXPONENT"), False),
        (
            ("def helper(number, factor)", "def helper(base, factor)"),
            True,
        ),  # its body is not renamed: no longer the same
    ],
)
def test_definitions_of_other_modules_are_followed(digest, replacement, changes):
    assert (digest(other=[replacement]) != digest()) == changes


def test_a_parameter_that_a_keyword_names_keeps_its_name(digest):
    positional = [("def helper(number, factor):\n    return number", "def helper(base, factor):\n    return base")]
    by_keyword = [
        (
            "number, factor):\n    return number ** POWER / factor",
            "number, divisor):\n    return number ** POWER / divisor",
        )
    ]
    assert digest(other=positional) == digest()
    assert digest(other=by_keyword) != digest()


def test_names_of_files_and_definitions_do_not_count(digest):
    assert digest(name="elsewhere", root="emargin.elsewhere:root") == digest()
    assert digest(("def root", "def start"), root="emargin.module:start") == digest()


def test_a_swap_of_two_constants_is_a_change(digest):
    swapped = [("FACTOR = 3", "FACTOR = SWAP"), ("UNUSED = 1", "UNUSED = 3"), ("FACTOR = SWAP", "FACTOR = 1")]
    assert digest(*swapped) != digest()


def test_only_the_branch_that_the_experiment_takes_counts(digest):
    released, original = [("fidelity", "released")], [("fidelity", "original")]
    for root in ("emargin.module:branches", "emargin.module:Method"):
        factor = ("FACTOR = 3", "FACTOR = 4")
        assert digest(factor, root=root, facts=released) == digest(root=root, facts=released)
        assert digest(factor, root=root, facts=original) != digest(root=root, facts=original)
        power = [("POWER = 2", "POWER = 3")]
        assert digest(other=power, root=root, facts=released) != digest(root=root, facts=released)
        assert digest(other=power, root=root, facts=original) == digest(root=root, facts=original)


def test_only_the_entry_that_the_experiment_picks_counts(digest):
    frame, context = ({"root": "emargin.module:picks", "facts": [("encoder", name)]} for name in ("frame", "context"))
    assert digest(("linear", "affine"), **frame) != digest(**frame)
    assert digest(("linear", "affine"), **context) == digest(**context)
    assert digest(other=[("POWER = 2", "POWER = 3")], **context) != digest(**context)
    assert digest(other=[("POWER = 2", "POWER = 3")], **frame) == digest(**frame)


def test_words_of_a_class_do_not_count_and_its_bases_do(digest):
    method = {"root": "emargin.module:Method", "facts": [("fidelity", "released")]}
    assert digest(("A name", "Another name"), ('summary = "words"', 'summary = "other"'), **method) == digest(**method)
    assert digest(("class Method(Base)", "class Method(object)"), **method) != digest(**method)
    assert digest(("    def loss", "    @staticmethod\n    def loss"), **method) != digest(**method)


def test_what_is_left_out_may_change(digest):
    left_out = {"left_out": ["emargin.other:helper"]}
    assert digest(other=[("POWER / factor", "POWER * factor")], **left_out) == digest(**left_out)
    assert digest(**left_out) != digest()


def test_a_root_that_is_gone_is_named(digest):
    with pytest.raises(InputError, match="no emargin.module:gone.*name the root"):
        digest(root="emargin.module:gone")


def test_a_class_of_another_module_is_read_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_losses.py"
    file.write_text("MARGIN = 1\n\n\nclass Triplet:\n    def loss(self):\n        return MARGIN\n")
    import own_losses

    stage = Stage((f"{own_losses.__name__}:Triplet",))
    assert reached(stage) == {"own_losses:Triplet", "own_losses:MARGIN"}
    before = fingerprint.fingerprint(stage)
    file.write_text(file.read_text().replace("MARGIN = 1", "MARGIN = 2"))
    assert fingerprint.fingerprint(stage) != before


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        (
            {
                "m": "from beside import scale\n\n\nclass M:\n    def loss(self):\n        return scale(1)\n",
                "beside": "def scale(x):\n    return x * 2\n",
            },
            "beside",
        ),
        (
            {
                "m": "class M:\n    def loss(self):\n        from beside import scale\n        return scale(1)\n",
                "beside": "def scale(x):\n    return x * 2\n",
            },
            "beside",
        ),
        (
            {
                "m": "from beside import Base\n\n\nclass M(Base):\n    pass\n",
                "beside": "class Base:\n    def loss(self):\n        return 2\n",
            },
            "beside",
        ),
        ({"m": "S = []\nS.append(2)\n\n\nclass M:\n    def loss(self):\n        return S\n"}, "m"),
        (
            {
                "m": "class M:\n    def loss(self):\n        from folder.part import scale\n        return scale(1)\n",
                "folder/part": "def scale(x):\n    return x * 2\n",
            },
            "folder/part",
        ),
    ],
)
def test_what_lies_beside_an_own_method_is_followed(tmp_path, files, changed):
    """Each in a process of its own, as a reader runs it: before the module is imported."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    program = "from emargin.fingerprint import *; print(fingerprint(Stage(('m:M',))))"

    def digest():
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(fingerprint.ROOT)])}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout

    before = digest()
    file = tmp_path / f"{changed}.py"
    file.write_text(file.read_text().replace("2", "3"))
    assert digest() != before


@pytest.mark.parametrize("place", ["user/lib/site-packages", "system/dist-packages"])
def test_what_is_installed_anywhere_is_not_followed(tmp_path, place):
    """As with `pip install --user`, or an environment that sees the system's packages."""
    (tmp_path / place / "tool").mkdir(parents=True)
    (tmp_path / place / "tool" / "__init__.py").write_text("from tool.part import scale\n")
    (tmp_path / place / "tool" / "part.py").write_text("def scale(x):\n    return x * 2\n")
    method = "from tool import scale\n\n\nclass M:\n    def loss(self):\n        return scale(1)\n"
    (tmp_path / "m.py").write_text(method)
    program = "from emargin.fingerprint import *; print(*reached(Stage(('m:M',))))"
    path = os.pathsep.join(map(str, [tmp_path, tmp_path / place, fingerprint.ROOT]))
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["m:M"]


@pytest.fixture
def typed(monkeypatch):
    """Runs text as a notebook does a cell."""
    notebook, numbers = types.ModuleType("__main__"), itertools.count()
    monkeypatch.setitem(sys.modules, "__main__", notebook)

    def run(text):
        name = f"<ipython-input-{next(numbers)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), vars(notebook))

    return run


@pytest.mark.parametrize("values", [("[1.0]", "[2.0]"), ("{'a': 1}", "{'a': 2}"), ("np.ones(2)", "np.zeros(2)")])
def test_values_that_a_notebook_s_method_reads_count(typed, values):
    typed("import numpy as np\nclass Mine:\n    def loss(self):\n        return K\n")
    digests = []
    for value in (*values, values[0]):
        typed(f"K = {value}\nunrelated = (object(), 1)\n")
        digests.append(fingerprint.fingerprint(Stage(("__main__:Mine",))))
    assert digests[0] == digests[2] != digests[1]


def test_a_value_that_cannot_be_told_apart_is_named(typed):
    typed("K = object()\nclass Mine:\n    def loss(self):\n        return K\n")
    with pytest.raises(InputError, match="K cannot be part of a fingerprint.*put it into a file"):
        fingerprint.fingerprint(Stage(("__main__:Mine",)))


def test_a_function_named_like_a_method_is_the_function(typed):
    text = "def loss(x):\n    return x * 2\n\nclass Mine:\n    def loss(self):\n        return loss(1)\n"
    typed(text)
    before = fingerprint.fingerprint(Stage(("__main__:Mine",)))
    typed(text.replace("2", "3"))
    assert fingerprint.fingerprint(Stage(("__main__:Mine",))) != before


def test_a_branch_is_not_folded_where_a_subclass_decides_otherwise(digest):
    subclass = (
        'summary = "words"',
        'summary = "words"\n\n    def __init__(self, experiment):\n        self.released = False',
    )
    method = {"root": "emargin.module:Method", "facts": [("fidelity", "released")]}
    assert digest(subclass, ("FACTOR = 3", "FACTOR = 4"), **method) != digest(subclass, **method)


def test_a_class_that_was_typed_in_is_read_from_its_cell(typed):
    stage, text = Stage(("__main__:Triplet",)), "class Triplet:\n    def loss(self):\n        return MARGIN * 2\n"
    typed("MARGIN = 1\n")
    typed(text)
    first = fingerprint.fingerprint(stage)
    typed(text.replace("2", "3"))
    second = fingerprint.fingerprint(stage)
    typed("MARGIN = 5\n")
    third = fingerprint.fingerprint(stage)
    typed(text)
    typed("MARGIN = 1\n")
    assert len({first, second, third}) == 3
    assert fingerprint.fingerprint(stage) == first
