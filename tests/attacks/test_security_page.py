"""docs/security.md lists every attack, and no test that is not there."""

import ast
import re

import pytest

from autograder.course import HOME

PAGE = (HOME / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+) \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def test_the_tables_name_every_attack_under_its_family(attacks):
    told = {(family, name) for name, family in ROWS if "::" not in family}
    assert told == {(attack.family, attack.name) for attack in attacks}


def test_no_two_attacks_have_one_name(attacks):
    assert len({attack.id for attack in attacks}) == len(attacks)


@pytest.mark.parametrize("test", [test for _, test in ROWS if "::" in test])
def test_each_test_that_the_page_names_exists(test):
    file, _, name = test.partition("::")
    tree = ast.parse((HOME / file).read_text(encoding="utf-8"))
    assert name in {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
