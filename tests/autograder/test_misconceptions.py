"""The known mistakes of all assignments: how many there are, and the words that a student reads."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from autograder.course import HOME, load_assignment
from autograder.errors import SuiteError
from autograder.judging.answers import Reference
from autograder.judging.judge import Judge
from autograder.judging.misconceptions import with_mistake
from autograder.judging.verdicts import Failure

NAMES = ("backprop", "captioning", "visualization")
ASSIGNED = {assigned.name: assigned for name in NAMES for assigned in load_assignment(name, HOME).notebooks}
FIVE_WILL_DO = {"word_embedding_forward", "word_embedding_backward", "make_fooling_image"}


@pytest.mark.parametrize("notebook", ASSIGNED)
def test_every_question_has_five_known_mistakes_and_those_of_the_recurrent_networks_eight(notebook):
    assigned = ASSIGNED[notebook]
    counts = Counter(known.question for known in assigned.misconceptions)
    assert set(counts) == set(assigned.names)
    for question, count in counts.items():
        recurrent = assigned.path.parent.name == "captioning" and question not in FIVE_WILL_DO
        assert count >= (8 if recurrent else 5), question


@pytest.mark.parametrize("notebook", ASSIGNED)
def test_a_known_mistake_has_a_name_of_its_own_and_words_that_do_not_give_the_line(notebook):
    misconceptions = ASSIGNED[notebook].misconceptions
    assert len({(known.question, known.name) for known in misconceptions}) == len(misconceptions)
    for known in misconceptions:
        assert not known.explanation.endswith("."), known
        assert known.hint.endswith((".", "?")), known
        assert known.change[0] not in known.hint, known
        assert known.change[1] not in known.hint, known


def test_a_mistake_that_is_not_in_the_reference_is_an_error_of_the_suite():
    assigned = ASSIGNED["rnn_captioning"]
    known = replace(assigned.misconceptions[0], change=("no such words", ""))
    with pytest.raises(SuiteError, match="occurs 0 times"):
        with_mistake(assigned.solution, known)


@pytest.mark.parametrize("notebook", ["rnn_captioning", "lstm_captioning"])
def test_captions_tell_known_mistakes_apart_whatever_the_seed(notebook, load_suite):
    """By the captions of a single draw, one in fifty was taken for another."""
    assigned = ASSIGNED[notebook]
    suite = load_suite(assigned)
    for known in assigned.misconceptions:
        if known.question == "CaptioningRNN.sample":
            wrong = Reference(with_mistake(assigned.solution, known), assigned.path)
            test = suite.test_sample_that_ends if "captions end" in known.name else suite.test_sample
            for seed in range(20):
                judge = Judge(known.question, wrong, assigned.reference, np.random.default_rng(seed), assigned.mistakes)
                with pytest.raises(Failure) as failure:
                    test(judge)
                assert failure.value.misconception == known.name, seed
                wrong.forget()


def test_captions_of_a_mistake_that_is_not_known_have_no_name(load_suite):
    """A single word is said by several mistakes."""
    assigned = ASSIGNED["lstm_captioning"]
    suite = load_suite(assigned)
    known = next(known for known in assigned.misconceptions if known.name == "first cell state is the hidden state")
    unknown = replace(known, change=("c = np.zeros_like(h)", "h = c = np.zeros_like(h)"))
    wrong = Reference(with_mistake(assigned.solution, unknown), assigned.path)
    for seed in range(20):
        for test in (suite.test_sample, suite.test_sample_of_other_sizes):
            judge = Judge(known.question, wrong, assigned.reference, np.random.default_rng(seed), assigned.mistakes)
            with pytest.raises(Failure) as failure:
                test(judge)
            assert not failure.value.misconception, seed
            wrong.forget()
