"""How the values and equations of a program are called in a sentence."""

from collections.abc import Sequence

from fcnn.checker.equation.program import Equation, Program

MOVES = {"reshape", "broadcast_in_dim", "squeeze", "expand_dims", "convert_element_type", "copy"}
MOVES |= {"transpose", "stop_gradient"}
OPERATIONS = {
    "add": "the sum",
    "add_any": "the sum",
    "sub": "the difference",
    "mul": "the product",
    "div": "the quotient",
    "neg": "the minus sign",
    "dot_general": "the matrix product",
    "reduce_sum": "the sum",
    "reduce_max": "the maximum",
    "reduce_min": "the minimum",
    "select_n": "the choice by where",
    "integer_pow": "the power",
    "pow": "the power",
    "conv_general_dilated": "the convolution",
    "scatter-add": "the scattered sum",
    "gather": "the indexing",
    "scan": "the loop",
    "cumsum": "the cumulative sum",
    "triangular_solve": "the triangular solve",
    "logistic": "the sigmoid",
    "square": "the square",
    "scatter": "the assignment",
    "select_and_scatter_add": "the pooling",
    "while": "the loop",
    "cond": "the branch",
    "sort": "the sorted array",
    "max": "the maximum",
    "min": "the minimum",
    "abs": "the absolute value",
    "sqrt": "the square root",
    "exp": "the exponential",
    "log": "the logarithm",
    "split": "the part",
    "slice": "the part",
    "dynamic_slice": "the part",
    "dynamic_update_slice": "the updated array",
    "concatenate": "the joined array",
    "rev": "the reversed array",
    "pad": "the padded array",
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), "the comparison"),
}


def operation(e: Equation) -> str:
    """The operation of an equation, and its line: the sum in `s = x.sum()` (file.py:3)"""
    what = OPERATIONS.get(e.name, e.name)
    return what if e.line is None else f"{what} in {e.line}"


def line(e: Equation) -> str:
    return operation(e) if e.line is None else str(e.line)


def as_a(role: str, what: str) -> str:
    """The value `what` as a term or a factor: the factor x, the factor that tanh in `...` gives."""
    named = " in `" not in what and not what.startswith("the ")
    return f"the {role} {what}" if named else f"the {role} that {what} gives"


def listed(axes: Sequence[int]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def described(
    program: Program, producers: dict[int, Equation], names: dict[int, str], slot: int
) -> str:
    """The name of a value, or the operation that computes it."""
    while slot not in names:
        e = producers.get(slot)
        if e is None:
            return "a constant"
        if e.name in MOVES:
            slot = e.inputs[0]
            continue
        if e.body is None:
            return operation(e)
        return _of_scan(program, producers, names, e, slot)
    return names[slot]


def inside(
    program: Program, producers: dict[int, Equation], names: dict[int, str], e: Equation
) -> dict[int, str]:
    """Names of the inputs of the body of a scan."""
    assert e.body is not None
    carries = range(e.consts, e.consts + e.carries)
    return {
        inner: "the value that the loop carries"
        if k in carries
        else described(program, producers, names, outer)
        for k, (outer, inner) in enumerate(zip(e.inputs, e.body.inputs, strict=True))
    }


def _of_scan(program, producers, names, e, slot):
    """The name of an output of a scan, by the equation in its body."""
    made = e.body.outputs[e.outputs.index(slot)]
    before = dict(zip(e.body.inputs, e.inputs, strict=True))
    if made in before:
        k = e.body.inputs.index(made) - e.consts
        if 0 <= k < e.carries:
            return f"the carried value before each step of {line(e)}"
        return described(program, producers, names, before[made])
    found = e.body.producers().get(made)
    return "a constant" if found is None else operation(found)
