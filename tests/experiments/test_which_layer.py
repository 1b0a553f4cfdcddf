"""Scores, sequences of words and verdicts of which_layer, where the answers are known."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.framework.files_of_data import Files
from experiments.framework.verdict import judge
from experiments.which_layer import EXPERIMENT
from experiments.which_layer.columns import (
    WORDS,
    accuracy,
    balanced_accuracy,
    cancer,
    diabetes,
    r_squared,
    spam,
)
from experiments.which_layer.measure import sized, strongest
from experiments.which_layer.networks import KINDS, network
from experiments.which_layer.output import SHOWN

LABELS = np.array([0, 0, 0, 1])
ALWAYS_0 = np.array([[[1.0, 0.0]] * 4])  # (seeds, n, classes)


def test_scores_have_known_values():
    assert accuracy(LABELS)(ALWAYS_0).tolist() == [75]
    assert balanced_accuracy(LABELS)(ALWAYS_0).tolist() == [50]
    y = np.array([[1.0], [2.0], [3.0]])
    outputs = np.stack([y, 0 * y + 2, y + 1])
    assert r_squared(y)(outputs).tolist() == pytest.approx([100, 0, -50])


@pytest.mark.parametrize("kind", ["dense", "LSTM", "attention"])
def test_padding_has_no_effect(kind):
    net = network(kind, "text", 2, 6, 50)

    @jax.jit
    def outputs(key, ids, padding):
        params, state = net.init(key, (4,))
        table = params["embedding1"]["table"].at[0].set(padding)
        return net.apply(params | {"embedding1": {"table": table}}, state, ids)[0]

    y, other = (outputs(jax.random.key(0), np.array([[5, 6, 0, 0]]), p) for p in (0.0, 9.0))
    assert other == pytest.approx(y)
    assert outputs(jax.random.key(0), np.array([[5, 6, 1, 1]]), 0.0) != pytest.approx(y)


def test_tables_are_standardized_by_their_training_examples():
    for column in (cancer(Files()), diabetes(Files())):
        x = column.train.x
        assert x.mean(0) == pytest.approx(0, abs=1e-5)
        assert x.std(0) == pytest.approx(1, abs=1e-5)
        assert np.abs(column.test.x.mean(0)).max() > 1e-3  # not scaled by itself


def test_messages_are_read_and_a_damaged_file_is_one_line(tmp_path):
    path, config = tmp_path / "SMSSpamCollection", Files(data_dir=tmp_path)
    lines = [f"{kind}\tgo {kind}\t{i}" for i in range(20) for kind in ("ham", "spam")]
    path.write_text("\n".join(2 * lines), encoding="utf-8")
    column = spam(config)
    assert (len(column.train.x), len(column.test.x)) == (24, 8)  # each message once
    assert (column.train.x[:, :3] > 0).all()
    assert (column.train.x[:, 3:] == 0).all()
    assert column.train.y.sum() == 12
    damaged = {
        "ham\tgo\nno label": "line 2 does not begin with ham or spam and a tab",
        "0\tgo\nham\tcome": "line 1 does not begin with",
        "ham go": "line 1 does not begin with",
        "\n".join(f"ham\tgo {i}" for i in range(20)): "has fewer than 10 messages of spam",
        "": "has fewer than 10 messages of ham",
    }
    for content, message in damaged.items():
        path.write_text(content)
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {message}"):
            spam(config)
    path.write_bytes("ham\t£5".encode("latin-1"))
    with pytest.raises(ValueError, match="is not text in UTF-8; write the original file again"):
        spam(config)


FORMS = {"image": (8, 8, 1), "series": (48, 1), "table": (10,), "text": (WORDS,)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_each_network_is_built(kind, form):
    net, x = network(kind, form, 2, 6, 50), jnp.zeros((3, *FORMS[form]))
    x = x.astype(int) if form == "text" else x

    def outputs(key):
        params, state = net.init(key, FORMS[form])
        return net.apply(params, state, x)[0]

    assert jax.eval_shape(outputs, jax.random.key(0)).shape == (3, 2)


def test_the_parameters_do_not_include_the_shared_embedding():
    made = spam(Files(smoke=True))
    counts = [sized(made, kind, 2000)[1] for kind in ("dense", "convolution")]
    assert counts == pytest.approx([2000, 2000], rel=0.05)


def test_the_other_kind_has_the_highest_mean_on_validation_at_its_rate():
    part = lambda *scores: {"rate": 0.01, "validation": {"0.01": scores, "0.1": [99.0]}}
    found = {
        "a, dense": part(9.0, 9.0) | {"test": [1.0, 1.0]},
        "a, convolution": part(3.0, 3.0) | {"test": [9.0, 9.0]},
        "a, LSTM": part(1.0, 8.0) | {"test": [5.0, 5.0]},
        "a, attention": {"rate": 0.1, "validation": {"0.01": [10.0], "0.1": [4.0, 4.0]}},
    }
    assert strongest(found, "a", "dense") == "LSTM"
    assert strongest(found, "a", "LSTM") == "dense"


@pytest.mark.parametrize("failing", [None, *SHOWN])
def test_each_claim_can_fail(failing):
    score = lambda name, kind: 2.0 if (kind == SHOWN[name].choice) != (name == failing) else 1.0
    validation = {"rate": 0.01, "validation": {"0.01": [1.0]}}
    measured = {f"{n}, {k}": validation | {"test": [score(n, k)] * 3} for n in SHOWN for k in KINDS}
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured))
    assert [v.verdict for v in verdicts] == [
        "failed" if name == failing else "held" for name in SHOWN
    ]
