"""The `fcnn` command."""

import pytest

import fcnn
from fcnn.command import main


def test_ops_lists_every_operator(capsys):
    assert main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert named == [op.name for op in fcnn.ops.OPS]


@pytest.mark.parametrize("arguments", [[], ["opz"]])
def test_misuse_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
