"""Standard technical English: unclear phrases of earlier docs and docstrings are rejected."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "fcnn/**/*.py", "experiments/**/*.py", "tests/**/*.py")
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", "test_words.py")
)
REJECTED = (
    r"\btold\b",
    r"\bsaid\b",
    r"\bwhoever\b",
    r"\bcame to\b",
    r"\bcomes to\b",
    r"\bbe it\b",
    r"\bat hand\b",
    r"\bso many\b",
    r"\bas many as\b",
    r"\bwhat there is\b",
    r"\bas (it was )?asked\b",
    r"\bby what there is\b",
    r"\btrip over\b",
    r"\bof its own accord\b",
    r"\bSaved (is|are)\b",
    r"\bsurprise\b",
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_has_a_rejected_phrase(path):
    """No line has a rejected phrase."""
    found = [
        f"{path.name}:{number}: {match[0]!r} in {line.strip()}"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in [re.search("|".join(REJECTED), line, re.IGNORECASE)]
        if match
    ]
    assert not found, "\n".join(found)


def test_a_rejected_phrase_is_found():
    assert re.search("|".join(REJECTED), "98.1% of the digits are told right")
