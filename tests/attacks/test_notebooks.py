"""Notebooks that attack: each earns what its answers are worth, reads nothing, and hurts nobody."""

import json
import re
from pathlib import Path

import pytest


@pytest.mark.families("forging", "shadowing", "ending", "reading", "writing", "exhausting", "outliving", "tricking")
def test_an_attack_gains_nothing_and_reads_nothing(attack, the_class):
    result = the_class.result(attack)
    earned = {each["question"]: each["points"] for each in result["notebooks"][0]["questions"]}
    told = json.dumps(result, ensure_ascii=False)
    assert earned == {"gate_forward": 0, "gate_backward": 0, "chain": 0} | attack.points, told
    assert result["failure"] == ""
    assert re.search(attack.told, told), f"the attack did not take place: {told}"
    assert result["seconds"] < 15
    seen = the_class.shown(result["student"])
    assert not [secret for secret in the_class.secrets.values() if secret in seen]
    assert not re.search("[\x1b\x07\u202a-\u202e\u2066-\u2069]", seen)
    assert len(seen) < 200_000


def test_victims_before_beside_and_behind_are_graded_as_if_they_were_alone(the_class):
    alone = the_class.grade_alone()
    assert len(alone) == 9
    for student, expected in alone.items():
        assert {**the_class.results[student], "seconds": 0} == {**expected, "seconds": 0}
    scores = [the_class.results[student]["score"] for student in the_class.victims]
    assert scores == [10, 6, 7] * 3


def test_the_batch_ends_well_and_leaves_no_process_file_or_mount_behind(the_class):
    assert the_class.code == 0, the_class.terminal
    assert "Traceback" not in the_class.terminal
    assert "LEFT BEHIND" not in the_class.terminal
    assert the_class.left_in_scratch == []
    assert the_class.new_mounts == set()
    assert the_class.unchanged
    assert not Path("/tmp/unpickled").exists()


def test_nothing_secret_and_nothing_that_moves_a_cursor_is_on_the_terminal(the_class):
    assert not [secret for secret in the_class.secrets.values() if secret in the_class.terminal]
    assert not re.search("[\x1b\x07\u202a-\u202e\u2066-\u2069]", the_class.terminal)
