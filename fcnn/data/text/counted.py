"""Vocabularies of the tokens that occur in training texts, the most frequent first."""

from collections import Counter
from collections.abc import Iterable

from fcnn.data.text.vocabulary import SPECIAL, Vocabulary, tokens_of
from fcnn.ops.validation import named, require, require_counts, require_flags


def characters(texts: str | Iterable[str]) -> Vocabulary:
    """The characters (code points) of training texts, as a vocabulary.

    Ids are 0 for padding, 1 for characters without an id, and then the characters by falling
    frequency, those of equal frequency by code point.

    Shapes: encode: a text of t characters -> ids (t,) int32.
    Options:
        texts: a training text, or several. Texts of validation and test do not belong here.
    Raises: ValueError if there is no character; TypeError if a text is not a str.
    Cost:   one pass over the texts.
    Source: Unicode.

    >>> vocabulary = fcnn.data.text.characters("to be or not")
    >>> vocabulary.tokens
    ('<pad>', '<unk>', ' ', 'o', 't', 'b', 'e', 'n', 'r')
    >>> vocabulary.encode("bone?"), vocabulary.decode([5, 3, 7, 6])
    (array([5, 3, 7, 6, 1], dtype=int32), 'bone')
    """
    with named("characters"):
        return Vocabulary("characters", _ranked(texts, "characters"))


def words(
    texts: str | Iterable[str], *, size: int | None = None, least: int = 1, lower: bool = True
) -> Vocabulary:
    """The words of training texts, as a vocabulary.

    A word is a run of letters, digits and underscores. Every other character that is not a space is
    a word too. Texts are first brought to Unicode's normal form C. Scripts without spaces between
    words, or with vowel signs, need another tokenizer, or characters.

    Ids are 0 for padding, 1 for words without an id, and then the words by falling frequency, those
    of equal frequency in alphabetical order (by code point).

    Shapes: encode: a text of t words -> ids (t,) int32.
    Options:
        texts: a training text, or several. Texts of validation and test do not belong here.
        size: largest number of ids, with the first two; None for no limit.
        least: how often a word must occur to have an id.
        lower: whether words are in lower case, here and in `encode`.
    Raises: ValueError if no word is left, or `size` is below 3; TypeError if a text is not a str.
    Cost:   one pass over the texts.
    Source: normal form C: Unicode Standard Annex 15.

    >>> vocabulary = fcnn.data.text.words(["I saw a cat.", "A cat saw me."], least=2)
    >>> vocabulary.tokens
    ('<pad>', '<unk>', '.', 'a', 'cat', 'saw')
    >>> vocabulary.decode(vocabulary.encode("A cat saw a dog."))
    'a cat saw a <unk> .'
    """
    with named("words"):
        require_counts(least=least, **({} if size is None else {"size": size}))
        require(size is None or size > len(SPECIAL), f"size {size} must be at least 3")
        require_flags(lower=lower)
        return Vocabulary("words", _ranked(texts, "words", lower, size, least), lower)


def _ranked(texts, kind, lower=False, size=None, least=1):
    """The special tokens, and those of the texts by falling frequency."""
    counts: Counter[str] = Counter()
    for text in _each(texts):
        counts.update(tokens_of(text, kind, lower))
    require(len(counts) > 0, f"texts have no {kind}")
    kept = sorted((-n, token) for token, n in counts.items() if n >= least)
    require(len(kept) > 0, f"no word occurs {least} times; write least={max(counts.values())}")
    return (*SPECIAL, *(token for _, token in kept))[:size]


def _each(texts):
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"texts is a {type(texts).__name__}; write a str, or a list of them")
    for i, text in enumerate([texts] if isinstance(texts, str) else texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is a {type(text).__name__}, not a str")
        yield text
