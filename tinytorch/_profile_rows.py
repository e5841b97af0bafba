"""What a profile is made of: events, their sums, and both as text (given, for module 14)."""

from dataclasses import dataclass


@dataclass
class Event:
    """One call: of an operation ("forward", "backward"), of a "module", or of a "user" block (`record_function`).

    seconds: all of it; inner: those of the events inside. nbytes: of the arrays read and written. flops: operations
    on numbers, exact for matrix products, else one for each element. Modules and blocks sum up what they contain.
    """

    name: str
    kind: str
    start: float
    seconds: float = 0.0
    inner: float = 0.0
    nbytes: int = 0
    flops: int = 0
    shape: tuple = ()


@dataclass
class Average:
    """All calls of one operation, added up; times in microseconds, the last without what is called inside."""

    key: str
    count: int = 0
    forward: float = 0.0
    backward: float = 0.0
    self_cpu_time_total: float = 0.0
    nbytes: int = 0
    flops: int = 0

    def add(self, event):
        """Count one more call."""
        self.count += event.kind != "backward"
        self.backward += event.seconds * 1e6 if event.kind == "backward" else 0
        self.forward += event.seconds * 1e6 if event.kind != "backward" else 0
        self.self_cpu_time_total += (event.seconds - event.inner) * 1e6
        self.nbytes += event.nbytes
        self.flops += event.flops

    @property
    def cpu_time_total(self):
        """Microseconds of all calls, forward and backward, with all that is called inside."""
        return self.forward + self.backward

    @property
    def intensity(self):
        """Operations per byte."""
        return self.flops / self.nbytes if self.nbytes else 0.0

    @property
    def rate(self):
        """Operations a second."""
        return self.flops / self.cpu_time_total * 1e6 if self.cpu_time_total else 0.0


class Averages(list):
    """What `profile.key_averages()` returns: a list of `Average`."""

    def table(self, sort_by="self_cpu_time_total", row_limit=100):
        """Return a table, largest sort_by (an attribute of `Average`) first."""
        names = (
            "Name",
            "Calls",
            "Forward ms",
            "Backward ms",
            "Self ms",
            "Self %",
            "MB",
            "MFLOP",
            "FLOP/byte",
            "GFLOP/s",
        )
        rows, total = [names], sum(row.self_cpu_time_total for row in self)
        for row in sorted(self, key=lambda row: getattr(row, sort_by), reverse=True)[:row_limit]:
            times = (row.forward / 1e3, row.backward / 1e3, row.self_cpu_time_total / 1e3)
            work = (row.nbytes / 1e6, row.flops / 1e6, row.intensity, row.rate / 1e9)
            rows.append((row.key, row.count, *times, row.self_cpu_time_total / (total or 1) * 100, *work))
        return f"{text_table(rows)}\nSelf CPU time total: {total / 1e3:.3f}ms"


def text_table(rows):
    """Return rows, the first of them names, as text: the first column at the left, the others at the right."""
    cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells]
    rule = ["-" * width for width in widths]
    return "\n".join("  ".join(line) for line in (rule, lines[0], rule, *lines[1:], rule))
