"""Text as training examples: vocabularies, padded sequences, buckets, and next-token windows.

    text --split--> training text --characters, words--> Vocabulary
    text --encode--> ids --padded--> x, lengths --buckets--> one x for each length     (to classify)
                     ids --windows--> x, and y, which is x one id later     (to predict the next id)

A vocabulary counts the tokens of the texts that it gets, so give it the training texts only. Split
one long text by `split`, and many labelled texts by `fcnn.data.split`. A text comes from a file by
pathlib.Path("input.txt").read_text("utf-8"), and its lines by .splitlines().
"""

from fcnn.data.text.buckets import Buckets, buckets
from fcnn.data.text.counted import characters, words
from fcnn.data.text.padded import padded
from fcnn.data.text.split import split
from fcnn.data.text.vocabulary import PAD, UNKNOWN, Vocabulary, byte_vocabulary
from fcnn.data.text.windows import windows

__all__ = [
    "PAD",
    "UNKNOWN",
    "Buckets",
    "Vocabulary",
    "buckets",
    "byte_vocabulary",
    "characters",
    "padded",
    "split",
    "windows",
    "words",
]
