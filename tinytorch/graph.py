"""The graph that `Function.apply` leaves behind."""


def record(ctx, inputs, output):
    """Note that the node `ctx` made `output` from `inputs`. Does nothing until module 06, Autograd."""
