"""The grad modes: `no_grad` and its relatives, as context managers and as decorators (given in module 06)."""

import functools
import inspect

from .graph import GradMode, _Mode


class _Decorator(_Mode):
    """A grad mode that holds inside a `with` block, or while a decorated function or generator runs."""

    def copy(self):
        """Return an equal context, for one call of a decorated function."""
        return type(self)(self.enabled)

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with self.copy():
                return function(*args, **kwargs)

        return wrapper

    def _around_generator(self, function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            items = function(*args, **kwargs)
            while True:  # the mode holds while the generator runs, not while its caller does
                with self.copy():
                    item = next(items, items)
                if item is items:
                    return
                yield item

        return wrapper


class no_grad(_Decorator):
    """Do not record operations: a context manager, and a decorator with or without parentheses.

    >>> x = tt.ones(2, requires_grad=True)
    >>> with tt.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, function=None):
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function=None):
        super().__init__(False)

    def copy(self):
        """Return a new context of this kind."""
        return type(self)()


class enable_grad(no_grad):
    """Record operations again inside a `no_grad` block."""

    def __init__(self, function=None):
        _Decorator.__init__(self, True)


class inference_mode(_Decorator):
    """Do not record operations; `mode=False` records them. Tensors made here may join a graph later."""

    def __new__(cls, mode=True):
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode=True):
        super().__init__(not mode)
        self.inference = bool(mode)

    def copy(self):
        """Return a new context of this kind."""
        return type(self)(self.inference)


class set_grad_enabled(_Decorator):
    """Record operations or not from now on; as a context manager, until its block ends.

    >>> _ = tt.set_grad_enabled(False)
    >>> tt.is_grad_enabled()
    False
    >>> _ = tt.set_grad_enabled(True)
    """

    def __init__(self, mode):
        super().__init__(bool(mode))
        self.outside = GradMode.enabled, GradMode.inference
        GradMode.enabled = self.enabled

    def __enter__(self):
        super().__enter__()
        self.before = self.outside

    def __call__(self, function):
        GradMode.enabled, GradMode.inference = self.outside  # a decorator changes nothing until the call
        return super().__call__(function)
