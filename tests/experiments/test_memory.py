"""The tasks of memory, the reach, the fall of a gradient and the order have known answers."""

import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.framework.claim import NotJudged, Pairs
from experiments.framework.verdict import judge
from experiments.memory import EXPERIMENT
from experiments.memory.evidence import reach
from experiments.memory.gradients import fall, through_time
from experiments.memory.networks import KINDS, UNITS, network, units_of
from experiments.memory.order import equivariant
from experiments.memory.tasks import ALPHABET, BLANK, RECALL, SYMBOLS, TASKS, adding, copy
from fcnn.data import Images
from fcnn.layers import stateless
from fcnn.training import TrainState


def test_the_copy_task_asks_for_its_first_symbols():
    x, y = copy(4, 50, np.random.default_rng(0))
    steps = x.argmax(-1)
    assert (x.sum(-1) == 1).all()
    assert (steps[:, :SYMBOLS] == y).all()
    assert set(y.ravel()) == set(range(ALPHABET))
    assert (steps[:, SYMBOLS:-SYMBOLS] == BLANK).all()
    assert steps.shape == (50, 4 + 2 * SYMBOLS)
    assert (steps[:, -SYMBOLS:] == RECALL).all()
    outputs = np.stack([np.eye(ALPHABET)[y]] * 2)
    outputs[1, :5, 0] = -outputs[1, :5, 0]  # one symbol of 5 of 50 sequences
    assert TASKS["copy"].error(outputs, y).tolist() == pytest.approx([0, 100 * 5 / 150])


@pytest.mark.parametrize("length", [5, 40])
def test_the_adding_problem_marks_one_number_of_each_half(length):
    x, y = adding(length, 20000, np.random.default_rng(0))
    marks = x[..., 1]
    assert set(np.unique(marks)) == {0, 1}
    assert (marks[:, : length // 2].sum(1) == 1).all()
    assert (marks[:, length // 2 :].sum(1) == 1).all()
    assert marks.any(0).all()  # at every step
    assert np.allclose((x[..., 0] * marks).sum(1), y[:, 0, 0])
    error, bound = TASKS["adding"].error, TASKS["adding"].bound
    constant = np.stack([np.ones_like(y), y])  # the best constant output, and the right one
    assert error(constant, y).tolist() == pytest.approx([2 * bound, 0], rel=0.03)


def test_the_reach_is_the_largest_length_below_the_bound():
    errors = {"10": [0.0, 9.0, 0.0, 5.0], "40": [9.0, 9.0, 0.0, 9.0], "20": [4.9, 9.0, 9.0, 9.0]}
    assert reach(errors, 5.0) == [20, 5, 40, 5]


def test_the_gradient_through_time_of_a_known_network():
    weights = 10.0 ** -np.arange(5)[::-1]  # the last step has the weight 1
    model = stateless(
        "sum", lambda x: (x * weights[None, :, None]).sum((1, 2)), positions="removed"
    )
    examples = Images(np.random.default_rng(0).normal(size=(7, 5, 4)), np.zeros(7))
    state = TrainState(jnp.zeros(2, int), {}, {}, {}, jnp.zeros(2))
    norms = through_time(model, lambda outputs, y: outputs - y, examples)(state)
    assert np.allclose(norms, [[0.2, 0.02, 0.002, 0.0002]] * 2)  # 4 features: twice the weight
    assert fall(norms[0]) == pytest.approx(10)
    assert fall([3.0, 3.0, 3.0]) == pytest.approx(0)


@pytest.mark.usefixtures("jax_defaults")
def test_attention_knows_the_order_only_with_positional_encoding():
    assert equivariant(2, 5, order=False) == {"equal": 10, "of": 10}
    assert equivariant(2, 5, order=True) == {"equal": 0, "of": 10}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_have_about_as_many_parameters(kind):
    def parameters(kind, units):
        return fcnn.summary(network(kind, units, 3, 8), (3, 10)).parameters

    largest = parameters("LSTM", UNITS)
    assert abs(parameters(kind, units_of(kind, 10, 3, 8)) - largest) < 0.1 * largest


def network_at(lengths, initial=0.1, trained=0.1):
    """A network that reaches `lengths` (copy, adding), with gradients that fall by decades."""
    return [
        {"error": {str(t): [0.0 if t <= most else 90.0] * 3 for t in (10, 20, 40, 80)}}
        | {"initial": gradient(initial), "trained": gradient(trained)}
        for most in lengths
    ]


def gradient(decades):
    return [(10.0 ** (-decades / 10 * np.arange(19))).tolist()] * 3


def measured(equal=10, **change):
    kinds = {"RNN": ((10, 10), 0.6, 0.6), "LSTM": ((40, 40),), "GRU": ((40, 40),)}
    kinds |= {"attention": ((40, 40),)} | change
    found = {kind: network_at(*of) for kind, of in kinds.items()}
    m = {f"{task}, {kind}": each[i] for kind, each in found.items() for i, task in enumerate(TASKS)}
    return m | {"order": {"without positions": {"equal": equal, "of": 10}}}


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({}, None),
        ({"RNN": ((40, 10), 0.6, 0.6)}, 0),
        ({"RNN": ((10, 40), 0.6, 0.6)}, 1),
        ({"GRU": ((40, 10),)}, 2),
        ({"attention": ((10, 40), 0.1)}, 3),
        ({"RNN": ((10, 10), 0.4, 0.6)}, 4),
        ({"LSTM": ((40, 40), 0.7, 0.1)}, 5),
        ({"LSTM": ((40, 40), 0.1, 0.7)}, 6),
        ({"attention": ((40, 40), 0.6)}, 7),
        ({"equal": 9}, 8),
    ],
)
def test_each_claim_can_fail(change, index):
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured(**change)))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected


def test_a_reach_beyond_all_lengths_or_below_them_is_not_judged():
    ends = measured(RNN=((40, 5), 0.6, 0.6), LSTM=((80, 5),))
    evidence = EXPERIMENT.evidence(ends)
    assert evidence[0] == NotJudged("LSTM reaches T = 80: the difference is at least 1.0")
    assert evidence[1] == NotJudged("neither reaches T = 10; write a larger --steps")
    assert isinstance(EXPERIMENT.evidence(measured(LSTM=((80, 80),)))[0], Pairs)  # decided
