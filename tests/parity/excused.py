"""What does not agree with PyTorch on purpose, each with its reason; everything else that differs is a failure."""

# Numbers drawn from our own generator: compared by shape and dtype here, by their statistics in test_parity.py.
RANDOM = {
    *("bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal", "uniform"),
    *("rand_like", "randn_like", "randint", "randint_like", "randn", "empty", "empty_like", "empty_permuted"),
    *("empty_strided", "new_empty", "new_empty_strided", "nn.functional.dropout", "nn.functional.dropout2d"),
    *("nn.functional.dropout3d", "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout"),
    *("nn.functional.rrelu",),
}

# Names that a wrapper of PyTorch's samples needs beyond the operator itself and that tinytorch does not have.
NOT_OFFERED: set[str] = set()

# (start of the operator's name, test of (args, kwargs, difference in words), reason)
RULES: list = [
    (
        "nn.functional.scaled_dot_product_attention",
        lambda args, kwargs, difference: kwargs.get("dropout_p", 0) > 0 and "instead of" in difference,
        "dropout draws from another generator",
    ),
    (
        "broadcast_shapes",
        lambda args, kwargs, difference: any(isinstance(shape, int) for shape in args),
        "a shape is a tuple here, never an int",
    ),
]


def reason(call, args, kwargs, difference):
    """Return why a sample may differ, or None when it may not."""
    for start, test, why in RULES:
        if call.operator.startswith(start) and test(args, kwargs, difference):
            return why
    return None


def module_reason(name, given, difference):
    """Return why a sample of a module may differ, or None when it may not."""
    return None
