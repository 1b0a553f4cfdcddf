"""Vocabularies: from a text to integer ids and back.

    kind          a token is                                       ids
    bytes         a byte of the text in UTF-8                      0 .. 255, the bytes
    characters    a code point                                     0 padding, 1 unknown, 2 ...
    words         a run of letters, digits and underscores, or     0 padding, 1 unknown, 2 ...
                  any other character that is not a space

Words are those of the text in Unicode's normal form C, in which an accented letter is one code
point, however it was typed. Bytes and characters are those of the text as it is.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unicodedata import normalize

import numpy as np

from fcnn.ops.validation import named, require, require_flags

KINDS = ("bytes", "characters", "words")
SPECIAL = ("<pad>", "<unk>")  # longer than a character, and not one word
PAD, UNKNOWN = 0, 1
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """The tokens of a vocabulary; a token's position is its id. It is made by `words` and others.

    `to_json` and `from_json` keep it beside a trained model, without any loss.

    Options:
        kind: "bytes", "characters" or "words".
        tokens: distinct tokens, of which the first two are "<pad>" and "<unk>"; none for bytes.
        lower: whether words are in lower case.
    Raises: ValueError for an unknown kind, repeated tokens, or other first tokens.

    >>> vocabulary = fcnn.data.text.words(["the cat", "the dog"])
    >>> vocabulary, vocabulary.tokens
    (Vocabulary(words, 5 ids), ('<pad>', '<unk>', 'the', 'cat', 'dog'))
    >>> vocabulary.encode("The dog, again")
    array([2, 4, 1, 1], dtype=int32)
    >>> fcnn.data.text.Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    True
    """

    kind: str
    tokens: tuple[str, ...] = ()
    lower: bool = False

    def __post_init__(self) -> None:
        with named("Vocabulary"):
            kinds = ", ".join(KINDS)
            require(self.kind in KINDS, f"unknown kind {self.kind!r}; expected one of {kinds}")
            require_flags(lower=self.lower)
            if self.kind == "bytes":
                require(not self.tokens, "tokens of bytes are known; leave them out")
                return
            first = f"tokens {self.tokens[:2]!r:.60} must begin with {SPECIAL}"
            require(self.tokens[:2] == SPECIAL, first)
            if len(self._ids) < len(self.tokens):
                twice = next(t for i, t in enumerate(self.tokens) if self._ids[t] != i)
                raise ValueError(f"token {twice!r} has two ids; each token needs one")

    def __repr__(self) -> str:
        return f"Vocabulary({self.kind}, {self.size} ids)"

    @property
    def size(self) -> int:
        """Number of ids, which is the number of rows of an embedding."""
        return 256 if self.kind == "bytes" else len(self.tokens)

    @cached_property
    def _ids(self):
        return {token: i for i, token in enumerate(self.tokens)}

    def encode(self, text: str) -> np.ndarray:
        """Ids (t,) int32 of the tokens of `text`; UNKNOWN for a token without an id.

        Raises: TypeError if `text` is not a str; ValueError if UTF-8 has no bytes for it.
        """
        with named("encode"):
            if not isinstance(text, str):
                write = "; write [vocabulary.encode(text) for text in texts]"
                write = write if isinstance(text, list | tuple) else ""
                raise TypeError(f"text is a {type(text).__name__}, not a str{write}")
            if self.kind == "bytes":
                return np.frombuffer(_utf8(text), np.uint8).astype(np.int32)
        tokens = tokens_of(text, self.kind, self.lower)
        return np.fromiter((self._ids.get(token, UNKNOWN) for token in tokens), np.int32)

    def decode(self, ids: Any) -> str:
        """The text of ids (t,), without padding.

        decode(encode(text)) is `text` for bytes, and for characters that have an id. Words are
        separated by one blank each. Bytes that are not UTF-8 become U+FFFD.

        Raises: TypeError or ValueError unless `ids` are integers (t,) from 0 to size - 1.
        """
        with named("decode"):
            array = np.asarray(ids)
            require(array.ndim == 1, f"ids {array.shape} needs 1 axis; write decode(ids[0])")
            if array.dtype.kind not in "iu" and array.size:
                raise TypeError(f"ids holds {array.dtype}, not integers")
            wrong = np.flatnonzero((array < 0) | (array >= self.size))
            if wrong.size:
                at = f"ids has {array[wrong[0]]} at position {wrong[0]}"
                raise ValueError(f"{at}; {self!r} has ids 0 to {self.size - 1}")
        if self.kind == "bytes":
            return array.astype(np.uint8).tobytes().decode(errors="replace")
        blank = " " if self.kind == "words" else ""
        return blank.join(self.tokens[i] for i in array.astype(int).tolist() if i != PAD)

    def to_json(self) -> str:
        """The vocabulary as JSON in ASCII."""
        return json.dumps({"kind": self.kind, "tokens": self.tokens, "lower": self.lower})

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """The vocabulary of which `text` is the JSON.

        Raises: ValueError if `text` is not what `to_json` writes.
        """
        with named("from_json"):
            try:
                given = json.loads(text)
            except ValueError as error:
                raise ValueError(f"text is not JSON: {error}") from None
            match given:
                case {"kind": str(kind), "tokens": [*tokens], "lower": bool(lower)}:
                    if all(isinstance(token, str) for token in tokens):
                        return cls(kind, tuple(tokens), lower)
            raise ValueError("text is not a vocabulary; write vocabulary.to_json()")


def byte_vocabulary() -> Vocabulary:
    """The 256 bytes: a vocabulary for any text, which needs no training texts.

    Shapes: encode: a text of t bytes in UTF-8 -> ids (t,) int32.
    Options: none.
    Raises: nothing.
    Cost:   a text has more ids than characters: an accented letter has 2, a CJK character 3.
    Source: UTF-8: RFC 3629; bytes as tokens: Xue et al. 2022 (ByT5), arXiv:2105.13626.

    >>> vocabulary = fcnn.data.text.byte_vocabulary()
    >>> vocabulary.encode("né"), vocabulary.decode([110, 195, 169])
    (array([110, 195, 169], dtype=int32), 'né')
    """
    return Vocabulary("bytes")


def tokens_of(text: str, kind: str, lower: bool) -> Iterable[str]:
    """The characters or words of a text, in order."""
    if kind == "characters":
        return text
    return WORD.findall(normalize("NFC", text.lower() if lower else text))


def _utf8(text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        at = f"text has {text[error.start]!r}, half of a code point, at position {error.start}"
        raise ValueError(f"{at}; read the file with errors='replace'") from None
