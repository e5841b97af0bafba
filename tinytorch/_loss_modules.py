"""The losses as modules: each calls the function of its name in losses.py (part of module 04)."""

from . import losses as F
from ._activation_modules import FunctionModule


class Loss(FunctionModule):
    """A module that calls `function` on input and target."""

    def __init__(self, size_average=None, reduce=None, reduction="mean", **options):
        """Keep the reduction, translated only where one of its old names is given, and the options of the function."""
        if size_average is not None or reduce is not None:
            reduction = F.named_reduction(reduction, size_average, reduce)
        super().__init__(reduction=reduction, **options)

    def extra_repr(self):
        """Return nothing: PyTorch shows no options of losses."""
        return ""


class MSELoss(Loss):
    """The module of `mse_loss`."""

    function = staticmethod(F.mse_loss)

    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)


class L1Loss(MSELoss):
    """The module of `l1_loss`."""

    function = staticmethod(F.l1_loss)


class SmoothL1Loss(Loss):
    """The module of `smooth_l1_loss`."""

    function = staticmethod(F.smooth_l1_loss)

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0):
        super().__init__(size_average, reduce, reduction, beta=beta)


class HuberLoss(Loss):
    """The module of `huber_loss`."""

    function = staticmethod(F.huber_loss)

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction, delta=delta)


class CrossEntropyLoss(Loss):
    """The module of `cross_entropy`.

    >>> tt.nn.CrossEntropyLoss()(tt.tensor([[0.0, 0.0]]), tt.tensor([1]))
    tensor(0.6931)
    """

    function = staticmethod(F.cross_entropy)

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
    ):
        """Keep the options for `cross_entropy`; weight becomes a buffer."""
        options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        super().__init__(size_average, reduce, reduction, weight=weight, **options)


class NLLLoss(Loss):
    """The module of `nll_loss`."""

    function = staticmethod(F.nll_loss)

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, weight=weight, ignore_index=ignore_index)


class BCELoss(Loss):
    """The module of `binary_cross_entropy`."""

    function = staticmethod(F.binary_cross_entropy)

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, weight=weight)


class BCEWithLogitsLoss(Loss):
    """The module of `binary_cross_entropy_with_logits`."""

    function = staticmethod(F.binary_cross_entropy_with_logits)

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
        super().__init__(size_average, reduce, reduction, weight=weight, pos_weight=pos_weight)


class KLDivLoss(Loss):
    """The module of `kl_div`."""

    function = staticmethod(F.kl_div)

    def __init__(self, size_average=None, reduce=None, reduction="mean", log_target=False):
        super().__init__(size_average, reduce, reduction, log_target=log_target)


class CosineSimilarity(FunctionModule):
    """The module of `cosine_similarity`."""

    function = staticmethod(F.cosine_similarity)

    def __init__(self, dim=1, eps=1e-08):
        super().__init__(dim=dim, eps=eps)

    def extra_repr(self):
        """Return nothing, as PyTorch does."""
        return ""
