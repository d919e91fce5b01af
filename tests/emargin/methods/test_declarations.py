"""What methods declare, read without torch, and that it is what their classes have."""

import ast
import subprocess
import sys

import pytest

from emargin.config import RECORDED
from emargin.errors import InputError
from emargin.fields import Field
from emargin.losses import READINGS, SCOPES
from emargin.methods import COMPARED, METHODS, REPAIRS, Method, declaration, name_of
from emargin.methods.declarations import _literal, of_class
from emargin.pseudo_labels import RULES


@pytest.mark.parametrize("name", METHODS)
def test_what_is_read_is_what_the_class_has(name):
    assert declaration(name) == of_class(METHODS[name])
    assert declaration(name).title and "\n" not in declaration(name).summary


def test_names_and_fields_are_read_without_torch():
    code = (
        "from emargin.methods import COMPARED, METHODS, REPAIRS, declaration\n"
        "from emargin.resolve import resolve; from emargin.config import Experiment; from emargin import flags\n"
        "import argparse, sys; flags.add_flags(argparse.ArgumentParser())\n"
        "assert 'emargin' in METHODS and set(COMPARED) | set(REPAIRS) <= set(METHODS)\n"
        "assert [declaration(name).title for name in METHODS] and resolve(Experiment(margin=3)).digest\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_the_table_is_a_mapping_of_names_to_classes():
    assert list(METHODS)[: len(COMPARED) + len(REPAIRS)] == [*COMPARED, *REPAIRS]  # a further method comes after these
    assert len(METHODS) == len(list(METHODS)) and "emargn" not in METHODS and "a.module:Class" not in METHODS
    assert all(issubclass(method, Method) for method in METHODS.values())
    assert METHODS["emargin.methods.emargin:EMargin"] is METHODS["emargin"]
    assert name_of("emargin.methods.emargin:EMargin") == "emargin" and name_of("mine:Own") == "mine:Own"
    assert METHODS.get("emargn") is None
    with pytest.raises(KeyError):
        declaration("emargn")


def test_choices_are_those_of_the_losses():
    fields = declaration("emargin").fields
    assert fields["reading"].choices == READINGS and fields["labels"].choices == RULES
    assert set(declaration("infonce").fields["scope"].choices) == set(SCOPES)
    labelled = [declaration(name).fields for name in METHODS if "labels" in declaration(name).fields]
    assert {each["labels"].choices for each in labelled} == {RULES}


def test_settings_that_rows_record_are_those_of_the_compared_methods_and_the_repairs():
    assert {name for method in (*COMPARED, *REPAIRS) for name in declaration(method).fields} == set(RECORDED)


def test_a_default_for_each_fidelity_says_where_the_field_is():
    both, single = Field(int, default=1), Field(str, default={"original": "anchor"})
    assert both.has("released") and both.default_of("original") == 1
    assert single.has("original") and not single.has("released") and single.default_of("original") == "anchor"


def test_a_declaration_is_made_of_literals():
    read = _literal(ast.parse('{"a": Field(int, default={"original": -1}, choices=(-1, 2))}', mode="eval").body, "")
    assert read == {"a": Field(int, default={"original": -1}, choices=(-1, 2))}
    for text in ("EMargin.fields", '{**EMargin.fields, "a": 1}', "Field(float, default=MARGIN)"):
        with pytest.raises(
            InputError, match="method m:C cannot be read.*(EMargin.fields|MARGIN).*write the values out"
        ):
            _literal(ast.parse(text, mode="eval").body, "m:C")
