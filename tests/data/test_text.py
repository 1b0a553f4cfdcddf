"""Text: round trips, known ids, windows and buckets by plain loops, and no leakage."""

from inspect import unwrap
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fcnn.data import text
from fcnn.data.text import Vocabulary

few = settings(max_examples=40, deadline=None, derandomize=True)
ID_LISTS = st.lists(st.lists(st.integers(0, 9), max_size=7), min_size=1, max_size=12)


def test_bytes_are_utf8_and_their_decoding_replaces_others():
    vocabulary = text.byte_vocabulary()
    assert vocabulary.size == 256
    assert vocabulary.encode("aé€").tolist() == [97, 195, 169, 226, 130, 172]
    assert vocabulary.decode([97, 195, 98]) == "a\N{REPLACEMENT CHARACTER}b"


@few
@given(st.text(), st.text(min_size=1))
def test_bytes_and_characters_round_trip(given_text, training):
    assert text.byte_vocabulary().decode(text.byte_vocabulary().encode(given_text)) == given_text
    vocabulary = text.characters([training, given_text])
    ids = vocabulary.encode(given_text)
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == given_text
    assert not np.isin(ids, (text.PAD, text.UNKNOWN)).any()


@few
@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_json_keeps_a_vocabulary(training):
    vocabulary = text.characters(training)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.encode(training).tolist() == vocabulary.encode(training).tolist()


def test_json_keeps_the_kind_and_lower_case():
    for vocabulary in (text.byte_vocabulary(), text.words("A b", lower=False), text.words("A b")):
        assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def test_ids_are_by_frequency_and_then_alphabetical():
    assert text.characters(["cab", "bc", "b"]).tokens == ("<pad>", "<unk>", "b", "c", "a")
    texts = ["the cat. The dog.", "a Cat"]
    assert text.words(texts).tokens[2:] == (".", "cat", "the", "a", "dog")
    assert text.words(iter(texts)) == text.words(texts[::-1])
    assert text.words(texts, lower=False).tokens[2:] == (
        ".",
        "Cat",
        "The",
        "a",
        "cat",
        "dog",
        "the",
    )
    assert text.words(texts, least=2).tokens[2:] == (".", "cat", "the")
    assert text.words(texts, size=4).tokens == ("<pad>", "<unk>", ".", "cat")
    assert text.words(texts, size=4).size == 4


def test_words_are_runs_of_word_characters_in_normal_form_c():
    vocabulary = text.words("caf\N{LATIN SMALL LETTER E WITH ACUTE} don't_3")
    assert sorted(vocabulary.tokens[2:]) == ["'", "café", "don", "t_3"]
    typed = "CAFE\N{COMBINING ACUTE ACCENT}"
    assert vocabulary.decode(vocabulary.encode(f"{typed}  don't")) == "café don ' <unk>"
    assert text.characters(typed).decode(text.characters(typed).encode(typed)) == typed


def test_decoding_leaves_padding_out():
    vocabulary = text.characters("ab")
    assert vocabulary.decode(np.array([2, 3, 0, 0], np.uint8)) == "ab"
    assert vocabulary.decode([]) == ""


@few
@given(ID_LISTS, st.integers(-2, 2))
def test_padding_keeps_each_sequence(sequences, pad):
    batch = text.padded(sequences, pad=pad)
    assert batch["x"].dtype == batch["lengths"].dtype == np.int32
    assert batch["x"].shape == (len(sequences), max(1, *map(len, sequences), 0))
    for row, n, ids in zip(batch["x"], batch["lengths"], sequences, strict=True):
        assert row[:n].tolist() == ids
        assert (row[n:] == pad).all()


def test_truncation_keeps_the_first_ids():
    batch = text.padded([[1, 2, 3], [4]], length=2, truncate=True)
    assert batch["x"].tolist() == [[1, 2], [4, 0]]
    assert batch["lengths"].tolist() == [2, 1]
    assert text.padded([[1]], length=3)["x"].tolist() == [[1, 0, 0]]


@few
@given(st.integers(2, 30), st.data())
def test_windows_equal_a_loop_and_are_views(t, data):
    length, stride = data.draw(st.integers(1, t - 1)), data.draw(st.none() | st.integers(1, t))
    ids = np.arange(t) ** 2
    batch = text.windows(ids, length, stride=stride)
    starts = range(0, t - length, stride or length)
    assert batch["x"].tolist() == [ids[i : i + length].tolist() for i in starts]
    assert batch["y"].tolist() == [ids[i + 1 : i + 1 + length].tolist() for i in starts]
    assert np.shares_memory(batch["x"], ids)
    assert np.shares_memory(batch["y"], ids)


def test_no_window_of_training_has_a_position_of_validation():
    train, validation = text.split(np.arange(101), 0.3)
    seen = [
        {*np.unique([*batch["x"], *batch["y"]]).tolist()}
        for batch in (text.windows(train, 7, stride=1), text.windows(validation, 7, stride=1))
    ]
    assert seen == [{*range(71)}, {*range(71, 101)}]


def test_another_validation_text_changes_nothing_of_training():
    kept = "to be, or not to be; that is the question. " * 3
    made = []
    for end in ("whether 'tis nobler ", "ZÜRICH to to to to 9"):
        train, validation = text.split(kept + end, len(end) / len(kept + end))
        assert (train, validation) == (kept, end)
        for fit in (text.characters, text.words):
            vocabulary = fit(train)
            batch = text.windows(vocabulary.encode(train), 5)
            made.append((vocabulary.to_json(), batch["x"].tobytes(), batch["y"].tobytes()))
    assert made[:2] == made[2:]


def examples(lengths):
    """Examples whose ids are their number, with labels and one target per position."""
    n = np.arange(len(lengths), dtype=np.int32)
    batch = text.padded([[i] * length for i, length in zip(n, lengths, strict=True)], pad=-1)
    return batch | {"y": n, "mark": batch["x"] * 2}


@few
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 4))
def test_buckets_have_each_example_once_and_the_least_padding(lengths, count):
    found = text.buckets(examples(lengths), count=count, entries=("x", "mark"))
    assert sorted(np.concatenate(found.indices)) == [*range(len(lengths))]
    positions = 0
    for part, indices in zip(found.parts, found.indices, strict=True):
        assert part["y"].tolist() == indices.tolist() == sorted(indices)
        assert part["lengths"].tolist() == [lengths[i] for i in indices]
        assert part["x"].shape[1] == max(1, *part["lengths"], 0)
        for row, mark, i in zip(part["x"], part["mark"], indices, strict=True):
            assert row[row >= 0].tolist() == [i] * lengths[i]
            assert (mark == 2 * row).all()
        positions += part["x"].size
    assert found.padding == pytest.approx(1 - sum(lengths) / positions)
    whole = max(1, *lengths, 0)
    inner = range(1, whole)
    choices = [(*c, whole) for k in range(count) for c in combinations(inner, min(k, len(inner)))]
    need = [sum(min(end for end in c if end >= length) for length in lengths) for c in choices]
    assert positions == min(need)
    assert len(found.parts) <= count


def test_boundaries_are_the_lengths_of_x():
    found = text.buckets(examples([1, 8, 3, 2]), boundaries=(2, 4, 5, 8))
    assert [part["x"].shape for part in found.parts] == [(2, 2), (1, 4), (1, 8)]
    assert [i.tolist() for i in found.indices] == [[0, 3], [2], [1]]
    assert repr(found) == "Buckets(x (2, 2), (1, 4), (1, 8); 12.5% padding)"


VOCABULARY = text.words("a b")
BATCH = examples([3, 1])
SPECIAL = ("<pad>", "<unk>")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Vocabulary("letters"), ValueError, "Vocabulary: unknown kind 'letters'; expected"),
        (
            lambda: Vocabulary("words", ("a",)),
            ValueError,
            r"Vocabulary: tokens \('a',\) must begin",
        ),
        (
            lambda: Vocabulary("words", (*SPECIAL, "a", "a")),
            ValueError,
            "Vocabulary: token 'a' has",
        ),
        (lambda: Vocabulary("bytes", ("a",)), ValueError, "Vocabulary: tokens of bytes are known"),
        (lambda: Vocabulary.from_json("{"), ValueError, "from_json: text is not JSON: Expecting"),
        (lambda: Vocabulary.from_json("[]"), ValueError, "from_json: text is not a vocabulary; wr"),
        (
            lambda: Vocabulary.from_json('{"kind": "words", "tokens": [1], "lower": true}'),
            ValueError,
            "from_json: text is not a vocabulary; write vocabulary.to_json",
        ),
        (
            lambda: unwrap(Vocabulary.encode)(VOCABULARY, ["a"]),
            TypeError,
            r"encode: text is a list, not a str; write \[vocabulary.encode\(text\) for text in ",
        ),
        (
            lambda: text.byte_vocabulary().encode("ab\udc80"),
            ValueError,
            r"encode: text has '\\udc80', half of a code point, at position 2; read the file with",
        ),
        (
            lambda: VOCABULARY.decode([2, 4]),
            ValueError,
            r"decode: ids has 4 at position 1; Vocabulary\(words, 4 ids\) has ids 0 to 3",
        ),
        (lambda: VOCABULARY.decode([-1]), ValueError, "decode: ids has -1 at position 0"),
        (lambda: VOCABULARY.decode([[2]]), ValueError, r"decode: ids \(1, 1\) needs 1 axis"),
        (lambda: VOCABULARY.decode([2.0]), TypeError, "decode: ids holds float64, not integers"),
        (lambda: text.characters(""), ValueError, "characters: texts have no characters"),
        (lambda: unwrap(text.characters)(b"a"), TypeError, "characters: texts is a bytes; write a"),
        (lambda: unwrap(text.words)(["a", 3]), TypeError, r"words: texts\[1\] is a int, not a str"),
        (lambda: text.words(" "), ValueError, "words: texts have no words"),
        (
            lambda: text.words("a a", least=3),
            ValueError,
            "words: no word occurs 3 times; write lea",
        ),
        (lambda: text.words("a", size=2), ValueError, "words: size 2 must be at least 3"),
        (
            lambda: text.padded([[1], [1, 2, 3], [1, 2]], length=1),
            ValueError,
            r"padded: sequences\[1\] has 3 ids, more than length 1; write truncate=True to cut 2 "
            "of 3 sequences, or length=3",
        ),
        (lambda: text.padded([]), ValueError, "padded: there are no sequences"),
        (
            lambda: text.padded(["ab"]),
            TypeError,
            r"padded: sequences\[0\] is a str, not ids; write",
        ),
        (lambda: text.padded([[0.5]]), TypeError, r"padded: sequences\[0\] holds float64, not int"),
        (lambda: text.padded([[[1]]]), ValueError, r"padded: sequences\[0\] \(1, 1\) needs 1 axis"),
        (lambda: text.padded([[1], [2**31]]), ValueError, r"padded: sequences\[1\] holds ids that"),
        (lambda: text.padded([[1]], pad=2**31), ValueError, "padded: pad 2147483648 does not fit"),
        (lambda: text.split("abc", 1.5), ValueError, "split: share 1.5 must lie between 0 and 1"),
        (lambda: text.split("abc"), ValueError, "split: share 0.1 of 3 characters or ids gives 3"),
        (lambda: text.split(["a", "b"]), TypeError, "split: text is a list; one long str or array"),
        (lambda: text.split(np.ones((9, 2))), ValueError, r"split: text \(9, 2\) needs 1 axis"),
        (
            lambda: text.windows(np.arange(5), 5),
            ValueError,
            r"windows: ids \(5,\): windows of length 5 need at least 6",
        ),
        (lambda: text.windows("abc", 1), TypeError, "windows: ids is a str; write vocabulary.enco"),
        (
            lambda: text.windows(np.ones(9), 1),
            TypeError,
            "windows: ids holds float64, not integers",
        ),
        (lambda: text.windows([[1, 2]], 1), ValueError, r"windows: ids \(1, 2\) needs 1 axis"),
        (
            lambda: text.windows([1, 2], 1, stride=0),
            ValueError,
            "windows: stride 0 must be at leas",
        ),
        (lambda: text.buckets(BATCH), ValueError, "buckets: write count=4, or boundaries"),
        (lambda: text.buckets(BATCH, count=0), ValueError, "buckets: count 0 must be at least 1"),
        (
            lambda: unwrap(text.buckets)([[1]], count=1),
            TypeError,
            r"buckets: examples is a list, not a dict; write padded\(sequences\) \| ",
        ),
        (
            lambda: text.buckets({"x": BATCH["x"]}, count=1),
            ValueError,
            r"buckets: examples has no entry 'lengths'; write padded\(sequences\)",
        ),
        (
            lambda: text.buckets(BATCH | {"y": [1]}, count=1),
            ValueError,
            r"buckets: x \(2, 3\) and y \(1,\) differ in axis 0",
        ),
        (
            lambda: text.buckets(BATCH | {"lengths": [3, 4]}, count=1),
            ValueError,
            "buckets: lengths 3 to 4 must lie between 0 and the 3 of x",
        ),
        (
            lambda: text.buckets(BATCH | {"lengths": [3.0, 1.0]}, count=1),
            TypeError,
            r"buckets: lengths \(2,\) float64 must be integers \(n,\)",
        ),
        (
            lambda: text.buckets(BATCH, count=1, entries=("y",)),
            ValueError,
            r"buckets: y \(2,\) has no positions of x \(2, 3\) to cut",
        ),
        (
            lambda: text.buckets(BATCH, count=1, entries=("z",)),
            ValueError,
            "buckets: examples has no entry 'z'; it has x, lengths, y, mark",
        ),
        (
            lambda: text.buckets(BATCH, boundaries=(1, 2)),
            ValueError,
            "buckets: boundaries end at 2, but example 0 has length 3; write 3 as the last one",
        ),
        (
            lambda: text.buckets(BATCH, boundaries=(3, 1)),
            ValueError,
            r"buckets: boundaries \(3, 1\)",
        ),
        (
            lambda: text.buckets(BATCH, boundaries=(1, 4)),
            ValueError,
            "buckets: boundaries end at 4, beyond the 3 positions of x; write 3 as the last one",
        ),
    ],
)
def test_bad_inputs_are_rejected_in_one_line(call, kind, message):
    with pytest.raises(kind, match=f"^{message}") as caught:
        call()
    assert "\n" not in str(caught.value)
