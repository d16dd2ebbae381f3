import numpy as np
import pytest

from coursekit.captioning import CaptioningModel
from coursekit.errors import InvalidInput

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "circle": 3, "square": 4}


@pytest.mark.parametrize(("cell_type", "maps"), [("rnn", 1), ("lstm", 4)])
def test_the_parameters_have_the_shapes_of_the_contract(cell_type, maps):
    model = CaptioningModel(WORDS, 11, 7, 3, cell_type)
    assert {name: value.shape for name, value in model.params.items()} == {
        "W_proj": (11, 3),
        "b_proj": (3,),
        "W_embed": (5, 7),
        "Wx": (7, maps * 3),
        "Wh": (3, maps * 3),
        "b": (maps * 3,),
        "W_vocab": (3, 5),
        "b_vocab": (5,),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_parameters_have_the_dtype_that_was_asked_for(dtype):
    params = CaptioningModel(WORDS, dtype=dtype).params
    assert all(value.dtype == dtype for value in params.values())


def test_the_defaults_are_those_of_the_contract():
    model = CaptioningModel(WORDS)
    assert model.cell_type == "rnn"
    assert model.params["W_proj"].shape == (512, 128)
    assert model.params["Wx"].shape == (128, 128)
    assert model.params["Wx"].dtype == np.float32


def test_weights_are_random_biases_zero_and_both_the_same_in_every_run():
    first, second = CaptioningModel(WORDS).params, CaptioningModel(WORDS).params
    for name, value in first.items():
        assert value.any() != name.startswith("b")
        np.testing.assert_array_equal(value, second[name])


def test_two_models_share_no_parameters():
    first, second = CaptioningModel(WORDS), CaptioningModel(WORDS)
    first.params["b"] += 1
    assert not second.params["b"].any()


def test_special_words_are_known_by_index():
    model = CaptioningModel(WORDS)
    assert (model._null, model._start, model._end) == (0, 1, 2)
    assert model.idx_to_word[3] == "circle"


def test_start_and_end_may_be_absent():
    model = CaptioningModel({"<NULL>": 1, "circle": 0})
    assert (model._null, model._start, model._end) == (1, None, None)


def test_an_unknown_cell_type_is_refused():
    with pytest.raises(InvalidInput, match="cell_type is 'gru'; it must be one of 'rnn', 'lstm'"):
        CaptioningModel(WORDS, cell_type="gru")


def test_a_vocabulary_without_null_is_refused():
    with pytest.raises(InvalidInput, match="word_to_idx has no <NULL>"):
        CaptioningModel({"circle": 0})


def test_loss_and_sample_are_for_the_student_to_write():
    class CaptioningRNN(CaptioningModel):
        pass

    model = CaptioningRNN(WORDS)
    with pytest.raises(NotImplementedError, match=r"CaptioningRNN\.loss is not written yet"):
        model.loss(np.zeros((1, 512)), np.zeros((1, 2), int))
    with pytest.raises(NotImplementedError, match=r"CaptioningRNN\.sample is not written yet"):
        model.sample(np.zeros((1, 512)))
