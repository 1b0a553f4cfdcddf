"""Operators and implementations are in the modules of their names, or of their families."""

import pkgutil

import pytest
from registry import every_operator

import fcnn
from fcnn.ops.convolution import impl

FAMILIES = {  # module -> its operators. An unlisted operator is in the module of the same name.
    "relu": ("relu", "relu6", "leaky_relu", "prelu"),
    "elu": ("elu", "selu", "celu"),
    "sigmoid": ("sigmoid", "log_sigmoid", "hard_sigmoid"),
    "tanh": ("tanh", "hard_tanh", "softsign"),
    "softplus": ("softplus", "squareplus"),
    "gelu": ("gelu", "silu", "mish", "hard_swish"),
    "glu": ("glu", "swiglu"),
    "softmax": ("softmax", "log_softmax"),
    "embedding": ("embedding", "one_hot"),
    "im2col": ("im2col", "col2im"),
    "dropout": ("dropout", "spatial_dropout", "stochastic_depth", "classic_dropout"),
    "binary_cross_entropy": ("sigmoid_cross_entropy", "focal"),
    "cross_entropy": ("softmax_cross_entropy", "soft_cross_entropy", "nll"),
    "regression": (
        "squared_error",
        "mean_squared_error",
        "absolute_error",
        "huber",
        "l2_penalty",
    ),
    "layer_norm": ("layer_norm", "group_norm", "instance_norm", "rms_norm"),
    "pooling": ("max_pool", "avg_pool"),
    "adaptive_pooling": ("adaptive_avg_pool", "adaptive_max_pool"),
    "global_pooling": ("global_avg_pool", "global_max_pool"),
    "max_unpool": ("max_unpool", "max_pool_with_indices"),
    "resize": ("resize_nearest", "resize_linear"),
}
PAGES = {name: page for page, names in FAMILIES.items() for name in names}
HELPERS = {"batch_tiles", "depthwise", "grouped", "input_gradient"}  # shared by implementations


@every_operator
def test_an_operator_is_in_the_module_of_its_name_or_family(op):
    assert op.forward.__module__.split(".")[-1] == PAGES.get(op.name, op.name)


def test_families_list_operators_once():
    listed = [name for names in FAMILIES.values() for name in names]
    assert len(listed) == len({*listed})
    assert {*listed} <= {op.name for op in fcnn.OPS}


IMPLS = [name for name in fcnn.conv.impls if name != "auto"]


@pytest.mark.parametrize("name", IMPLS)
def test_an_implementation_of_conv_is_in_the_module_of_its_name(name):
    module = pkgutil.resolve_name(f"fcnn.ops.convolution.impl.{name}")
    assert all(callable(getattr(module, part)) for part in ("forward", "dx", "dw"))


def test_every_module_of_impl_is_an_implementation_or_a_helper():
    pages = {page.name for page in pkgutil.iter_modules(impl.__path__)}
    assert pages == {*IMPLS} | HELPERS
