"""PyTorch's names for CUDA, of which there is none here."""


def is_available():
    """Return False."""
    return False


def device_count():
    """Return 0."""
    return 0


def manual_seed(seed):
    """Do nothing: there is no generator on a GPU."""


manual_seed_all = manual_seed


def synchronize(device=None):
    """Do nothing: all work is done when a function returns."""


def empty_cache():
    """Do nothing: there is no cache."""
