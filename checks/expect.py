"""`expect(got, "tt.add(a, b)").equals(expected, why="...")`: what a check says when an answer is wrong.

Every failure is a `CheckFailed` with five parts, in the order in which a student reads them: the call, what
was expected, what came, where they first differ, why. Works on the student's tensors, on ours and on
PyTorch's, so that one check runs on all three.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import limits

SCALARS = (bool, int, float, complex, np.generic)
RETURNED_NONE = "None; did you forget `return`?"
MAX_SHOWN = 24  # elements of an array that a message prints before it abbreviates


class CheckFailed(AssertionError):
    """An expectation that does not hold, in parts that a card can lay out."""

    def __init__(self, call: str, expected: str = "", got: str = "", where: str = "", why: str = "") -> None:
        self.call, self.expected, self.got, self.where, self.why = call, expected, got, where, why
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = (
            ("expected", self.expected),
            ("got", self.got),
            ("first difference", self.where),
            ("why", self.why),
        )
        return "\n".join([self.call, *(f"{name}: {text}" for name, text in parts if text)])


class Expect:
    """The `expect` that a check receives: bound to the library under test."""

    def __init__(self, tt: Any, replay: list[float] | None = None) -> None:
        self.tt = tt
        self.times: list[float] = []  # what `time` measured, so that a second pass need not measure again
        self._replay = iter(replay) if replay is not None else None

    def __call__(self, got: Any, call: str) -> Expectation:
        return Expectation(self.tt, got, call)

    @contextmanager
    def raises(
        self,
        error: type[BaseException] | tuple[type[BaseException], ...],
        call: str = "",
        mentions: tuple[str, ...] = (),
        why: str = "",
    ) -> Iterator[None]:
        """The block must raise `error`, with every text of `mentions` in its message.

        `mentions` is not held against PyTorch: the wording of messages is ours.
        """
        names = " or ".join(e.__name__ for e in (error if isinstance(error, tuple) else (error,)))
        try:
            yield
        except error as raised:
            if isinstance(raised, NotImplementedError) and error is not NotImplementedError:
                raise  # a stub that was not written yet (RuntimeError is its base class)
            missing = [text for text in mentions if text not in str(raised)]
            if missing and not _is_torch(self.tt):
                wanted = " and ".join(repr(text) for text in missing)
                got = f"{type(raised).__name__}: {raised}"
                expected = f"{_article(names)} {names} whose message mentions {wanted}"
                raise CheckFailed(call, expected, got, "", why) from raised
        except (NotImplementedError, CheckFailed):
            raise
        except Exception as raised:
            got = f"{type(raised).__name__}: {raised}"
            raise CheckFailed(call, f"{names} is raised", got, "", why) from raised
        else:
            raise CheckFailed(call, f"{names} is raised", "no error was raised", "", why)

    @contextmanager
    def unchanged(self, x: Any, call: str, why: str = "") -> Iterator[None]:
        """The block must leave `x` (a tensor, array or list) as it is."""
        before = _snapshot(self.tt, x)
        yield
        after = _snapshot(self.tt, x)
        where = _difference(before, after, 0.0, 0.0)
        if where is not None:
            why = why or "an operation returns a new result; its inputs stay as they are"
            raise CheckFailed(call, _labelled("unchanged", show(before)), show(after), where, why)

    def time(self, function: Callable[[], Any], repeats: int = 5) -> float:
        """Median seconds of one call of `function`; never measured while memory is being traced.

        The first call is watched by the time limit, the measured ones are not: watching slows loops.
        """
        if self._replay is not None:
            return next(self._replay, 0.0)
        start = time.perf_counter()
        function()
        if time.perf_counter() - start > 1.0:
            repeats = 1
        with limits.suspended():
            seconds = sorted(_block(function) for _ in range(repeats))[repeats // 2]
        self.times.append(seconds)
        return seconds

    def faster_than(
        self,
        function: Callable[[], Any],
        limit: float | Callable[[], Any],
        call: str,
        ratio: float = 1.0,
        why: str = "",
    ) -> None:
        """`function` must take less than `limit` seconds, or be `ratio` times as fast as the callable.

        A measurement that fails is repeated twice before it counts, since the machine may have been busy.
        """
        for _ in range(3):
            took = self.time(function)
            allowed = (self.time(limit) / ratio) if callable(limit) else limit
            if took < allowed or self._replay is not None:
                return
        expected = f"less than {seconds_text(allowed)}"
        if callable(limit):
            how = f"{ratio:g} times as fast as" if ratio > 1 else f"at most {1 / ratio:g} times the time of"
            expected += f", {how} the comparison"
        raise CheckFailed(call, expected, seconds_text(took), "", why)


class Expectation:
    """One value and the call it came from; every method returns self or raises CheckFailed."""

    def __init__(self, tt: Any, got: Any, call: str) -> None:
        self.tt, self.got, self.call = tt, got, call

    def equals(
        self, expected: Any, why: str = "", rtol: float = 1e-5, atol: float = 1e-6, dtype: Any = None
    ) -> Expectation:
        """Same kind, shape, dtype (if `dtype` is given or `expected` is an array or tensor) and values.

        A list or number as `expected` may be met by a tensor of these values. Python numbers are compared
        by kind (an int is not a float), float values within rtol and atol, everything else exactly.
        """
        if self.got is None and expected is not None:
            raise self._failed(self._show_expected(expected), RETURNED_NONE, "", why)
        is_array = isinstance(expected, np.ndarray) or self._is_tensor(expected)
        if self._is_tensor(expected):
            self._demand(self._is_tensor(self.got), self._show_expected, expected, why)
        if is_array or ((self._is_tensor(self.got) or isinstance(self.got, np.ndarray)) and _is_plain(expected)):
            return self._equal_arrays(expected, why, rtol, atol, dtype, is_array)
        self._demand(_same_kind(self.got, expected), self._show_expected, expected, why)
        where = _difference(expected, self.got, rtol, atol)
        if where is not None:
            raise self._failed(show(expected), show(self.got), where, why)
        return self

    def has_shape(self, shape: tuple[int, ...], why: str = "") -> Expectation:
        """The value is a tensor or array of this shape."""
        self._demand_array(str, f"a tensor of shape {tuple(shape)}", why)
        got = tuple(self._array(self.got).shape)
        if got != tuple(shape):
            raise self._failed(f"shape {tuple(shape)}", f"shape {got}", "", why)
        return self

    def has_dtype(self, dtype: Any, why: str = "") -> Expectation:
        """The value is a tensor or array of this dtype, given by name or as an object of the library."""
        wanted = dtype_name(dtype)
        self._demand_array(str, f"a tensor of dtype {wanted}", why)
        got = dtype_name(self._array(self.got).dtype)
        if got != wanted:
            raise self._failed(f"dtype {wanted}", f"dtype {got}", "", why)
        return self

    def shares_memory_with(self, other: Any, why: str = "") -> Expectation:
        """The value is a view: writing to `other` would be seen in it."""
        self._demand_array(str, "a tensor", why)
        if not np.shares_memory(self._array(self.got), self._array(other)):
            raise self._failed("a view: the same memory, no copy", "a copy with memory of its own", "", why)
        return self

    def is_a_copy_of(self, other: Any, why: str = "") -> Expectation:
        """The value equals `other` and shares no memory with it."""
        self.equals(other, why)
        if np.shares_memory(self._array(self.got), self._array(other)):
            raise self._failed("a copy with memory of its own", "a view of the same memory", "", why)
        return self

    def is_instance(self, cls: type | tuple[type, ...], why: str = "") -> Expectation:
        """The value is an instance of `cls`."""
        classes = cls if isinstance(cls, tuple) else (cls,)
        names = " or ".join(c.__name__ for c in classes)
        if self.got is None and type(None) not in classes:
            raise self._failed(f"{_article(names)} {names}", RETURNED_NONE, "", why)
        self._demand(isinstance(self.got, classes), str, f"{_article(names)} {names}", why)
        return self

    def is_(self, value: Any, why: str = "") -> Expectation:
        """The value is this very object."""
        if self.got is not value:
            raise self._failed(f"the very same object: {show(value)}", show(self.got), "", why)
        return self

    def _failed(self, expected: str, got: str, where: str, why: str) -> CheckFailed:
        return CheckFailed(self.call, expected, got, where, why)

    def _demand(self, holds: bool, text: Callable[[Any], str], expected: Any, why: str) -> None:
        """Fail unless `holds`; what was expected is put into words only then."""
        if not holds:
            name = type(self.got).__name__
            raise self._failed(text(expected), _labelled(f"{_article(name)} {name}", show(self.got)), "", why)

    def _demand_array(self, text: Callable[[Any], str], expected: Any, why: str) -> None:
        if self.got is None:
            raise self._failed(text(expected), RETURNED_NONE, "", why)
        self._demand(self._is_tensor(self.got) or isinstance(self.got, np.ndarray), text, expected, why)

    def _is_tensor(self, x: Any) -> bool:
        tensor = getattr(self.tt, "Tensor", None)
        return isinstance(tensor, type) and isinstance(x, tensor)

    def _show_expected(self, expected: Any) -> str:
        if self._is_tensor(expected) or isinstance(expected, np.ndarray):
            return _labelled("a tensor", show(self._array(expected)))
        return show(expected)

    def _array(self, x: Any) -> np.ndarray:
        if not self._is_tensor(x):
            return np.asarray(x)
        if _is_torch(self.tt):
            return x.detach().numpy()
        array = getattr(x, "array", None)
        if not isinstance(array, np.ndarray):
            got = "no `array`" if array is None else f"an `array` that is {_article(type(array).__name__)} "
            got += "" if array is None else type(array).__name__
            raise self._failed(
                "a tensor that keeps its values in `array`, a NumPy array", f"a tensor with {got}", "", ""
            )
        return array

    def _equal_arrays(
        self, expected: Any, why: str, rtol: float, atol: float, dtype: Any, exact_dtype: bool
    ) -> Expectation:
        self._demand_array(self._show_expected, expected, why)
        got, want = self._array(self.got), self._array(expected)
        if got.shape != want.shape:
            expected_text = _labelled(f"shape {want.shape}", values(want))
            raise self._failed(expected_text, _labelled(f"shape {got.shape}", values(got)), "", why)
        if dtype is not None or exact_dtype:
            name = dtype_name(want.dtype if dtype is None else dtype)
            if dtype_name(got.dtype) != name:
                raise self._failed(f"dtype {name}", f"dtype {dtype_name(got.dtype)}", "", why)
        if got.dtype == np.float16:  # 11 bits: about three digits
            rtol, atol = max(rtol, 1e-3), max(atol, 1e-3)
        where = _array_difference(want, got, rtol, atol)
        if where is not None:
            raise self._failed(show(want) if exact_dtype else values(want), show(got), where, why)
        return self


def show(x: Any) -> str:
    """A value in one or a few short lines; never calls a student's `__repr__` on a tensor."""
    inner = getattr(x, "array", None)
    if isinstance(inner, np.ndarray):
        return f"tensor of {show(inner)}"
    if isinstance(x, np.ndarray):
        return f"{values(x)}  (shape {x.shape}, {dtype_name(x.dtype)})"
    if isinstance(x, np.generic):
        return f"{x.item()!r}  ({dtype_name(x.dtype)})"
    try:
        text = repr(x)
    except Exception as error:  # the student's own __repr__ may be what is broken
        return f"<{type(x).__name__} whose repr raises {type(error).__name__}: {error}>"
    return text if len(text) <= 400 else f"{text[:300]} ... {text[-60:]}"


def values(x: np.ndarray) -> str:
    """The elements of an array, abbreviated when there are many."""
    edge = 3 if x.ndim < 3 else 2
    return np.array2string(x, separator=", ", threshold=MAX_SHOWN, edgeitems=edge, max_line_width=100)


def seconds_text(seconds: float) -> str:
    """A duration with its unit: `12 ms`, `1.3 s`, `45 µs`."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def bytes_text(count: int) -> str:
    """A size with its unit: `96 bytes`, `1.5 kB`, `2.1 MB` (powers of 1000)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{_three_digits(count / scale)} {unit}"
    return f"{count} bytes" if count != 1 else "1 byte"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def dtype_name(dtype: Any) -> str:
    """`float32` for a name, a NumPy dtype, a dtype of ours (`torch.float32`) or of PyTorch."""
    if isinstance(dtype, np.dtype):
        return dtype.name
    if isinstance(dtype, type):
        return np.dtype(dtype).name
    return str(dtype).removeprefix("torch.")


def _is_torch(tt: Any) -> bool:
    return getattr(tt, "__name__", "") == "torch"


def _is_plain(x: Any) -> bool:
    """Numbers, and lists of them: what may stand for the values of a tensor."""
    return isinstance(x, (*SCALARS, list))


def _kind(x: Any) -> str:
    """bool, int, float, or the name of a type: NumPy's scalars count as Python's."""
    if isinstance(x, bool | np.bool_):
        return "bool"
    if isinstance(x, int | np.integer):
        return "int"
    if isinstance(x, float | np.floating):
        return "float"
    return next((t.__name__ for t in (str, tuple, list, dict) if isinstance(x, t)), "object")


def _same_kind(got: Any, expected: Any) -> bool:
    kind = _kind(expected)
    if kind == "object":
        return expected is not None or got is None
    return _kind(got) == kind


def _snapshot(tt: Any, x: Any) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(_snapshot(tt, item) for item in x) if type(x) in (list, tuple) else x
    tensor = getattr(tt, "Tensor", None)
    if isinstance(x, np.ndarray) or (isinstance(tensor, type) and isinstance(x, tensor)):
        return np.array(Expectation(tt, x, "input")._array(x), copy=True)
    return x


def _difference(expected: Any, got: Any, rtol: float, atol: float, path: str = "") -> str | None:
    """Where two values first differ, in words; None when they agree."""
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        if expected.shape != got.shape or expected.dtype != got.dtype:
            return f"shape {expected.shape}, {expected.dtype} became shape {got.shape}, {got.dtype}"
        return _array_difference(expected, got, rtol, atol)
    at = f"at {path}: " if path else ""
    if not _same_kind(got, expected):
        return f"{at}expected {show(expected)}, got {show(got)} ({type(got).__name__})"
    if isinstance(expected, list | tuple):
        for i, (one, other) in enumerate(zip(expected, got, strict=False)):
            where = _difference(one, other, rtol, atol, f"{path}[{i}]")
            if where is not None:
                return where
        if len(expected) != len(got):
            return f"{at}expected {len(expected)} items, got {len(got)}"
        return None
    if isinstance(expected, float | np.floating):
        same = bool(np.isclose(float(got), float(expected), rtol=rtol, atol=atol, equal_nan=True))
    else:
        same = bool(got == expected)
    return None if same else f"{at}expected {show(expected)}, got {show(got)}" if path else ""


def _array_difference(expected: np.ndarray, got: np.ndarray, rtol: float, atol: float) -> str | None:
    """First differing index of two arrays of one shape, in words; None when they agree."""
    kinds = expected.dtype.kind + got.dtype.kind
    if "f" in kinds or "c" in kinds:
        wide = np.complex128 if "c" in kinds else np.float64
        with np.errstate(all="ignore"):
            same = np.isclose(got.astype(wide), expected.astype(wide), rtol=rtol, atol=atol, equal_nan=True)
    else:
        same = np.asarray(got == expected)
    if same.all():
        return None
    index = tuple(int(i) for i in np.argwhere(~same)[0])
    place = "" if not index else f"at index {index[0] if len(index) == 1 else index}: "
    count = "" if same.size == 1 else f" ({int((~same).sum())} of {same.size} values differ)"
    return f"{place}expected {expected[index]}, got {got[index]}{count}"


def _labelled(label: str, text: str) -> str:
    """`label: text`; a text of several lines starts on a line of its own."""
    return f"{label}:\n{text}" if "\n" in text else f"{label}: {text}"


def _article(noun: str) -> str:
    return "an" if noun[:1].lower() in "aeiou" else "a"


def _block(function: Callable[[], Any]) -> float:
    """Seconds of one call, from a block of calls long enough for a coarse clock."""
    calls, elapsed = 1, 0.0
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        elapsed = time.perf_counter() - start
        if elapsed >= 5e-3:
            return elapsed / calls
        calls = max(calls * 2, int(calls * 6e-3 / elapsed) if elapsed > 1e-4 else calls * 10)
