"""checks/work.py: the student's work survives whatever happens to it."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
from pathlib import Path

import pytest

from checks import work


def entry(updated: str, **fields: object) -> work.Entry:
    return {"module": "01", "status": "not yet", "source": f"def f(): {updated}\n", "updated": updated, **fields}


@pytest.fixture
def path(tmp_path):
    return tmp_path / work.FILE_NAME


def opened(path: Path, store: type = work.Disk) -> work.Work:
    kernel = work.Work(store(path), "0.1.0")
    kernel.load()
    return kernel


def saved(path: Path) -> dict[str, work.Entry]:
    return json.loads(path.read_text())["exercises"]


# A drive that behaves as JupyterLite's does, and can be stopped before any of its operations.


class Stopped(BaseException):
    """The tab was closed here."""


class FakeDrive:
    """`os` on the drive: open reads all, close stores all with one put, O_TRUNC puts an empty file."""

    def __init__(self, stop_before: int | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.handles: dict[int, list] = {}
        self.numbers = itertools.count(100)
        self.operations, self.stop_before = 0, stop_before

    def _operation(self) -> None:
        if self.operations == self.stop_before:
            raise Stopped
        self.operations += 1

    def _put(self, name: str, content: bytes) -> None:
        self._operation()
        self.files[name] = content

    def open(self, path, flags, mode=0o777):
        name = os.fspath(path)
        if name not in self.files:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, "gone", name)
            self._put(name, b"")
        elif flags & os.O_TRUNC:
            self._put(name, b"")
        self._operation()
        handle = next(self.numbers)
        self.handles[handle] = [name, bytearray(self.files[name]), 0, flags]
        return handle

    def read(self, handle, count):
        _, content, at, _ = self.handles[handle]
        self.handles[handle][2] += len(content[at : at + count])
        return bytes(content[at : at + count])

    def write(self, handle, data):
        _, content, at, _ = self.handles[handle]
        content[at : at + len(data)] = data
        self.handles[handle][2] += len(data)
        return len(data)

    def lseek(self, handle, offset, whence):
        self.handles[handle][2] = offset

    def close(self, handle):
        name, content, _, flags = self.handles.pop(handle)
        if flags & (os.O_RDWR | os.O_WRONLY):
            self._put(name, bytes(content))

    def install(self, monkeypatch):
        for name in ("open", "read", "write", "lseek", "close"):
            monkeypatch.setattr(work.os, name, getattr(self, name))
        return self


@pytest.fixture
def drive(monkeypatch):
    return FakeDrive().install(monkeypatch)


def on_drive() -> work.Work:
    return opened(Path("/drive/tinytorch-work.json"), work.Drive)


def test_what_is_saved_is_there_on_the_next_start(path):
    one = opened(path)
    assert one.entries == {} and one.take_notices() == []
    assert one.save({"add": {"source": "def add(): ...\n", "status": "passed", "points": 2}})
    again = opened(path)
    assert again.entry("add")["source"] == "def add(): ...\n" and again.entry("add")["points"] == 2
    assert again.entry("nothing") == {}
    document = json.loads(path.read_text())
    assert document["schema"] == 1 and document["release"] == "0.1.0" and document["updated"].endswith("Z")
    assert [p.name for p in path.parent.iterdir()] == [work.FILE_NAME]


def test_the_document_is_ascii_and_keeps_fields_it_does_not_know(path):
    path.write_text(json.dumps({"schema": 1, "theme": "dark", "exercises": {"a": entry("2030", color="red")}}))
    opened(path).save({"b": {"source": "# größer\n"}})
    assert path.read_bytes().isascii()
    document = json.loads(path.read_text())
    assert document["theme"] == "dark" and document["exercises"]["a"]["color"] == "red"
    assert document["exercises"]["b"]["source"] == "# größer\n"


def test_two_kernels_that_take_turns_lose_nothing(path):
    one, two = opened(path), opened(path)
    for i in range(5):
        one.save({f"one{i}": {"source": "1"}})
        two.save({f"two{i}": {"source": "2"}})
    assert len(saved(path)) == 10
    assert len(one.entries) == 9 and len(two.entries) == 10


@pytest.mark.parametrize("kind", [work.Disk, work.Drive])
def test_two_kernels_that_write_at_the_same_moment_lose_nothing(path, kind):
    """Both read, both write: the first one finds that its entry is gone, and writes it again."""
    one, two = opened(path, kind), opened(path, kind)
    merge = one._merge

    def slow_merge(content):
        result = merge(content)
        two.save({"two": {"source": "2"}})  # after our read, before our write
        return result

    one._merge = slow_merge  # type: ignore[method-assign]
    one.save({"one": {"source": "1"}})
    one._merge = merge  # type: ignore[method-assign]
    assert set(saved(path)) == {"one"}
    assert not two.verify()
    assert set(saved(path)) == {"one", "two"}
    assert two.verify() and one.verify()


def test_a_running_loop_verifies_by_itself(path, monkeypatch):
    monkeypatch.setattr(work, "VERIFY_AFTER", 0.01)

    async def session():
        one = opened(path)
        one.save({"one": {"source": "1"}})
        path.write_text(json.dumps({"schema": 1, "exercises": {}}))  # another kernel's write
        await asyncio.sleep(0.1)

    asyncio.run(session())
    assert set(saved(path)) == {"one"}


def test_the_later_entry_wins_and_nothing_that_grows_is_lost():
    early = entry("2026-01-01T00:00:00.000Z", hints=3, attempts=7, passed_source="good", solution_seen=True)
    early["first_passed"] = "2025-01-01T00:00:00.000Z"
    late = entry("2026-01-02T00:00:00.000Z", hints=1, attempts=2, status="passed", first_passed="2026-01-02")
    for both in (work.merged(early, late), work.merged(late, early)):
        assert both["source"] == late["source"] and both["status"] == "passed"
        assert both["hints"] == 3 and both["attempts"] == 7 and both["solution_seen"] is True
        assert both["passed_source"] == "good" and both["first_passed"] == "2025-01-01T00:00:00.000Z"
    assert work.merged(None, late) == late and work.merged(early, None) == early


def test_a_reset_is_not_undone_by_an_older_entry():
    old = entry("2026-01-01T00:00:00.000Z", hints=3, passed_source="good")
    reset = {"module": "01", "status": "not attempted", "source": None, "updated": "2026-01-02T00:00:00.000Z"}
    assert work.merged(old, reset) == work.merged(reset, old) == reset
    hint_only = {"module": "01", "hints": 1, "updated": "2026-01-02T00:00:00.000Z"}
    assert work.merged(old, hint_only)["source"] == old["source"]


def test_a_clock_that_was_set_back_does_not_lose_work(path):
    one = opened(path)
    one.entries["add"] = entry("2999-01-01T00:00:00.000Z")
    one.save({"add": {"source": "new"}})
    assert saved(path)["add"]["source"] == "new"
    assert saved(path)["add"]["updated"] == "2999-01-01T00:00:00.001Z"


WHOLE = json.dumps(
    {"schema": 1, "exercises": {f"f{i}": entry(f"2026-01-0{i}T00:00:00.000Z", hints=i) for i in range(1, 6)}}, indent=1
).encode()


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5, 0.75, 0.99])
def test_a_document_cut_off_anywhere_gives_what_can_be_read(path, share):
    path.write_bytes(WHOLE[: int(len(WHOLE) * share)])
    one = opened(path)
    assert set(one.entries) == {f"f{i}" for i in range(1, len(one.entries) + 1)}
    assert len(one.entries) >= int(5 * share) - 1
    (notice,) = one.take_notices()
    assert "was damaged" in notice and f"{len(one.entries)} exercises were recovered" in notice
    (copy,) = path.parent.glob("tinytorch-work.damaged-*.json")
    assert copy.name in notice and copy.read_bytes() == WHOLE[: int(len(WHOLE) * share)]
    one.save({"new": {"source": "x"}})
    assert set(saved(path)) == {*one.entries, "new"} and one.take_notices() == []
    assert len(list(path.parent.glob("tinytorch-work.damaged-*.json"))) == 1


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"", 0),
        (b"   \n", 0),
        (b"[]", 0),
        (b"null", 0),
        (b"\xff\xfe\x00garbage", 0),
        (b'{"schema": 1, "exercises": []}', 0),
        (b'{"exercises": {"a": {"source": "x"}, "b": 7}}', 1),
        (b'{"exercises": {"a": {"source": 5, "hints": "many", "status": "passed"}}}', 1),
        (WHOLE.replace(b'"f3": {', b'"f3": \x00\x01{{', 1), 4),
        (WHOLE[:200] + b"\xf0\x28" + WHOLE[200:], 5),
        (b'{"a b \\" c": {"source": "{\\"x\\": {}}"}, broken', 1),
    ],
)
def test_a_damaged_document_is_copied_and_salvaged(path, content, kept):
    path.write_bytes(content)
    one = opened(path)
    assert len(one.entries) == kept
    assert bool(one.take_notices()) == bool(content.strip())
    assert all(isinstance(e.get("source", ""), str) for e in one.entries.values())
    one.save({"new": {"source": "x"}})
    assert len(saved(path)) == kept + 1


def test_a_newer_schema_is_never_written_over(path):
    newer = json.dumps({"schema": 2, "exercises": {"add": entry("2026")}, "else": 1}).encode()
    path.write_bytes(newer)
    one = opened(path)
    assert "newer release" in one.take_notices()[0] and one.entry("add")
    assert one.save({"add": {"source": "x"}}) is False
    assert path.read_bytes() == newer
    older = opened(path.with_name("other.json"))
    older.store = work.Disk(path)  # the newer document appears while the kernel runs
    assert older.save({"add": {"source": "x"}}) is False
    assert path.read_bytes() == newer and "newer release" in older.take_notices()[0]


@pytest.mark.parametrize("kind", [work.Disk, work.Drive])
def test_a_deleted_document_is_written_again(path, kind):
    one = opened(path, kind)
    one.save({"a": {"source": "1"}})
    path.unlink()
    one.save({"b": {"source": "2"}})
    assert set(saved(path)) == {"a", "b"}


@pytest.mark.parametrize("kind", [work.Disk, work.Drive])
def test_a_document_that_cannot_be_written_is_said(tmp_path, kind):
    one = opened(tmp_path / "missing" / "work.json", kind)
    assert one.save({"a": {"source": "1"}}) is False
    assert "could not be saved" in one.take_notices()[0] and one.entry("a")["source"] == "1"


def test_on_disk_a_crash_at_any_operation_leaves_the_old_or_the_new_document(path, monkeypatch):
    opened(path).save({"a": {"source": "old"}})
    before = path.read_bytes()
    functions = [(work.tempfile, "mkstemp"), (work.os, "fdopen"), (work.os, "fsync"), (work.os, "replace")]
    for module, name in functions:
        with monkeypatch.context() as patch:

            def stop(*_args, **_options):
                raise Stopped

            patch.setattr(module, name, stop)
            with pytest.raises(Stopped):
                opened(path).save({"a": {"source": "new"}})
        assert path.read_bytes() == before
        assert opened(path).entry("a")["source"] == "old"


def test_on_the_drive_a_crash_at_any_operation_leaves_the_old_or_the_new_document(monkeypatch):
    seen = set()
    for first in (True, False):  # the document does not exist yet, or does
        for stop_before in range(20):
            drive = FakeDrive().install(monkeypatch)
            if not first:
                on_drive().save({"a": {"source": "old"}})
            drive.operations, drive.stop_before = 0, stop_before
            try:
                kernel = on_drive()
                kernel.save({"b": {"source": "new"}})
                finished = True
            except Stopped:
                finished = False
            drive.stop_before = None
            after = on_drive()
            assert after.take_notices() == []
            names = set(after.entries)
            assert names in (({"a"}, {"a", "b"}) if not first else (set(), {"b"}))
            assert "b" in names or not finished
            seen.add((first, finished, "b" in names))
            if finished:
                break
        else:
            pytest.fail("saving takes too many operations")
    assert (True, True, True) in seen and (False, False, False) in seen


def test_saving_on_the_drive_costs_one_read_and_one_write(drive):
    kernel = on_drive()
    kernel.save({"a": {"source": "1"}})
    before = drive.operations
    kernel.save({"b": {"source": "2"}})
    assert drive.operations - before == 2


def test_a_shorter_document_is_filled_up_with_spaces(drive):
    kernel = on_drive()
    kernel.save({"a": {"source": "x" * 5000}})
    kernel.entries["a"]["source"] = "y"
    kernel.save({"a": {"source": "y"}})
    (content,) = drive.files.values()
    assert len(content) > 5000 and json.loads(content)["exercises"]["a"]["source"] == "y"


def test_the_place_of_the_document(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert work.location() == tmp_path / "tinytorch-work.json"
    monkeypatch.setenv("TINYTORCH_WORK", str(tmp_path / "mine.json"))
    assert work.location() == tmp_path / "mine.json"
    monkeypatch.delenv("TINYTORCH_WORK")
    monkeypatch.setattr(work.sys, "platform", "emscripten")
    assert work.location() == Path("/drive/tinytorch-work.json")
    assert isinstance(work.store_for(tmp_path), work.Drive)
