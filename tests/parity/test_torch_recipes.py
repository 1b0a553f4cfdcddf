"""Code blocks of docs/ that need torch. tests/test_docs.py runs all other blocks."""

import pytest
from test_docs import NEEDS_TORCH, runs_and_prints


@pytest.mark.parametrize("code", NEEDS_TORCH)
def test_code_of_a_page_runs_and_prints_the_shown_text(code, tmp_path):
    runs_and_prints(code, tmp_path)


def test_there_is_a_block():
    assert NEEDS_TORCH
