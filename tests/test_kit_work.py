"""checks/work.py: the student's work survives whatever happens to it."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path

import pytest

from checks import work


def entry(updated: str, **fields: object) -> work.Entry:
    return {"module": "01", "status": "not yet", "source": f"def f(): {updated}\n", "updated": updated, **fields}


@pytest.fixture
def path(tmp_path):
    return tmp_path / work.FILE_NAME


def opened(path: Path) -> work.Work:
    kernel = work.Work(work.Disk(path), "0.1.0")
    kernel.load()
    return kernel


def saved(path: Path) -> dict[str, work.Entry]:
    return json.loads(path.read_text())["exercises"]


# A page that answers requests for files as JupyterLite's does, and can be stopped before any of them.


class Stopped(BaseException):
    """The tab was closed here."""


class FakePage:
    """Files of the drive: path -> (format, content); a put is stored as a whole, or not at all."""

    def __init__(self, stop_before: int | None = None) -> None:
        self.files: dict[str, object] = {}
        self.log: list[str] = []
        self.operations, self.stop_before = 0, stop_before
        self.full: object = None  # what a put is answered with instead of being done
        self.hidden = False  # reading fails

    def __call__(self, method, path, data=None):
        if self.operations == self.stop_before:
            raise Stopped
        self.operations += 1
        self.log.append(f"{method} {path}")
        if method == "readdir":
            return list(self.files)
        if method == "get":
            return None if self.hidden else self.files.get(path)
        if self.full is None:
            self.files[path] = {"format": data["format"], "content": data["data"]}
        return self.full

    def bytes(self, name=work.FILE_NAME):
        return work._file_bytes(self.files[name])


@pytest.fixture
def page():
    return FakePage()


def on_drive(page) -> work.Work:
    kernel = work.Work(work.Drive(page), "0.1.0", "http://127.0.0.1/x/")
    kernel.load()
    return kernel


def on_disk_or_drive(kind, path):
    """Two ways to open kernels on one document, and to read and to remove it."""
    if kind is work.Disk:
        return lambda: opened(path), lambda: saved(path), path.unlink
    page = FakePage()
    return (
        lambda: on_drive(page),
        lambda: json.loads(page.bytes())["exercises"],
        lambda: page.files.pop(work.FILE_NAME),
    )


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


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"path": work.FILE_NAME, "error": "QuotaExceededError: none left", "usage": 9e6, "quota": 1e7}, "is full"),
        ({"path": "notes.txt", "error": "QuotaExceededError: none left"}, "the browser did not store it"),
        ("not JSON", "the browser did not store it"),
        (None, "the browser did not store it"),
    ],
)
def test_a_refusal_that_the_kernel_is_not_told_is_found_out(page, said, words):
    """An isolated page answers a failed put like one that went well: the document is read back, the page asked."""
    kernel = on_drive(page)
    page.full = "nothing was said"
    if said:
        text = said if isinstance(said, str) else json.dumps(said)
        page.files[work.REFUSED] = {"format": "text", "content": text}
    assert not kernel.save({"add": {"source": "def add(): ...\n"}})
    (notice,) = kernel.take_notices()
    assert "could not be saved" in notice and words in notice and "export your work" in notice
    assert ("this site uses 9 MB of 10 MB" in notice) == (words == "is full"), notice


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
    start, exercises, _ = on_disk_or_drive(kind, path)
    one, two = start(), start()
    merge = one._merge

    def slow_merge(content):
        result = merge(content)
        two.save({"two": {"source": "2"}})  # after our read, before our write
        return result

    one._merge = slow_merge  # type: ignore[method-assign]
    one.save({"one": {"source": "1"}})
    one._merge = merge  # type: ignore[method-assign]
    assert set(exercises()) == {"one"}
    assert not two.verify()
    assert set(exercises()) == {"one", "two"}
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
    assert "was damaged" in notice and f"{len(one.entries)} exercise" in notice
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
    start, exercises, remove = on_disk_or_drive(kind, path)
    one = start()
    one.save({"a": {"source": "1"}})
    remove()
    one.save({"b": {"source": "2"}})
    assert set(exercises()) == {"a", "b"}


def test_a_document_that_cannot_be_written_is_said(tmp_path):
    one = opened(tmp_path / "missing" / "work.json")
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


def test_on_the_drive_a_crash_at_any_operation_leaves_the_old_or_the_new_document():
    seen = set()
    for first in (True, False):  # the document does not exist yet, or does
        for stop_before in range(20):
            page = FakePage()
            if not first:
                on_drive(page).save({"a": {"source": "old"}})
            page.operations, page.stop_before = 0, stop_before
            try:
                kernel = on_drive(page)
                kernel.save({"b": {"source": "new"}})
                finished = True
            except Stopped:
                finished = False
            page.stop_before = None
            after = on_drive(page)
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


def test_saving_on_the_drive_costs_a_read_a_write_and_a_look(page):
    kernel = on_drive(page)
    kernel.save({"a": {"source": "1"}})
    page.log.clear()
    kernel.save({"b": {"source": "2"}})
    assert page.log == [f"{method} {work.FILE_NAME}" for method in ("get", "put", "get")]
    kernel.entries["a"]["source"] = ""
    kernel.save({"b": {"source": ""}})
    assert json.loads(page.bytes())["exercises"]["b"]["source"] == ""  # a shorter one has no rest behind it


FULL = {"error": "QuotaExceededError: no room", "usage": 4_000_000, "quota": 5_000_000}


@pytest.mark.parametrize("answer", [FULL, {"error": "UnknownError: disk"}, {}])
def test_a_full_browser_is_said_once_per_answer_and_saved_when_there_is_room(page, answer):
    kernel = on_drive(page)
    kernel.save({"a": {"source": "1"}})
    page.full = answer
    assert kernel.save({"b": {"source": "2"}}) is False
    (notice,) = kernel.take_notices()
    assert "could not be saved" in notice and "export your work" in notice and "http://127.0.0.1/x/" in notice
    assert ("storage of this browser is full" in notice) == (answer is FULL)
    assert ("this site uses 4 MB of 5 MB" in notice) == (answer is FULL)
    assert not kernel.verify() and kernel.take_notices() == [], "what is tried again by itself is not said again"
    assert set(json.loads(page.bytes())["exercises"]) == {"a"}
    page.full = None
    assert kernel.save({"c": {"source": "3"}})
    assert set(json.loads(page.bytes())["exercises"]) == {"a", "b", "c"}
    assert kernel.take_notices() == ["Your work is saved again, with all that could not be saved before."]


def test_what_could_not_be_saved_is_saved_by_itself(page, monkeypatch):
    monkeypatch.setattr(work, "RETRY_AFTER", 0.01)

    async def session():
        kernel = on_drive(page)
        page.full = FULL
        kernel.save({"a": {"source": "1"}})
        await asyncio.sleep(0.05)
        page.full = None
        await asyncio.sleep(0.1)

    asyncio.run(session())
    assert set(json.loads(page.bytes())["exercises"]) == {"a"}


def test_a_document_that_the_browser_does_not_hand_out_is_not_replaced(page):
    on_drive(page).save({"a": {"source": "1"}})
    before = dict(page.files)
    page.hidden = True
    kernel = on_drive(page)
    assert "could not be read" in kernel.take_notices()[0]
    assert kernel.save({"b": {"source": "2"}}) is False and page.files == before
    page.hidden = False
    assert kernel.save({"b": {"source": "2"}})
    assert set(json.loads(page.bytes())["exercises"]) == {"a", "b"}


def test_a_page_without_storage_says_so_before_anything_is_lost():
    kernel = work.Work(work.Nowhere(), "0.1.0")
    kernel.load()
    assert kernel.take_notices() == [work.NOWHERE] and "private window" in work.NOWHERE
    assert kernel.save({"a": {"source": "1"}}) is False and kernel.take_notices() == [work.NOWHERE]


def base64_of(content: bytes) -> dict[str, str]:
    return {"format": "base64", "content": base64.b64encode(content).decode()}


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        (base64_of(WHOLE), 5),
        (base64_of(WHOLE[:300]), 1),
        (base64_of(b"\xff\xfe" + WHOLE), 5),
        ({"format": "base64", "content": "no base64 at all"}, 0),
        ({"format": "json", "content": WHOLE.decode()}, 5),
        ({"format": "text", "content": ""}, 0),
        ({"format": "text", "content": None}, 0),
        ({"content": 7}, 0),
        ({}, 0),
        ("a text where a file should be", 0),
    ],
)
def test_whatever_stands_in_the_database_is_read_or_copied(page, file, kept):
    page.files[work.FILE_NAME] = file
    kernel = on_drive(page)
    assert len(kernel.entries) == kept
    sound = kept == 5 and b"\xff" not in work._file_bytes(file)
    assert bool(kernel.take_notices()) == (not sound and bool(work._file_bytes(file)))
    assert kernel.save({"new": {"source": "x"}})
    assert len(json.loads(page.bytes())["exercises"]) == kept + 1
    copies = [name for name in page.files if "damaged" in name]
    assert len(copies) == (not sound and bool(work._file_bytes(file)))
    assert all(page.bytes(name) == work._file_bytes(file) for name in copies)


def test_a_damaged_document_is_not_replaced_before_its_copy_exists(page):
    page.files[work.FILE_NAME] = damaged = {"format": "text", "content": WHOLE.decode()[:300]}
    page.full = FULL
    kernel = on_drive(page)
    assert "could not be read" in kernel.take_notices()[0]
    assert kernel.save({"new": {"source": "x"}}) is False and page.files == {work.FILE_NAME: damaged}
    page.full, page.log = None, []
    assert kernel.save({"new": {"source": "x"}})
    puts = [line for line in page.log if line.startswith("put")]
    assert len(puts) == 2 and "damaged" in puts[0] and puts[1] == f"put {work.FILE_NAME}"
    assert set(json.loads(page.bytes())["exercises"]) == {"f1", "new"}


# Two tabs.


def test_two_answers_to_one_exercise_are_both_kept_and_both_tabs_are_told(page):
    one, two = on_drive(page), on_drive(page)
    one.save({"f": {"source": "one", "status": "passed", "passed_source": "one"}})
    time.sleep(0.002)  # two people, or one with two hands, are never in the same millisecond
    two.save({"f": {"source": "two", "status": "not yet"}})
    (said,) = two.take_notices()
    assert "Another tab had saved a different answer to f" in said and "%recall f --other" in said
    entry = json.loads(page.bytes())["exercises"]["f"]
    assert entry["source"] == "two" and entry["other_source"] == entry["passed_source"] == "one"
    assert one.verify()
    (said,) = one.take_notices()
    assert "Another tab saved a later answer to f" in said
    assert one.entry("f")["source"] == "two" and one.entry("f")["other_source"] == "one"
    one.save({"g": {"source": "else"}})
    assert one.verify() and two.verify() and one.take_notices() == two.take_notices() == []
    one.save({"f": {"source": "three"}})
    two.refresh()
    assert two.entry("f")["source"] == "three" and "later answer to f" in two.take_notices()[0]


def test_the_same_answer_in_two_tabs_is_no_news(page):
    one, two = on_drive(page), on_drive(page)
    one.save({"f": {"source": "same"}})
    two.save({"f": {"source": "same"}})
    assert one.verify() and two.verify() and one.take_notices() == two.take_notices() == []


def test_a_reset_on_the_map_holds_in_open_kernels(page):
    one = on_drive(page)
    one.save({"f": {"source": "one", "hints": 2}, "g": {"source": "g"}})
    document = json.loads(page.bytes())
    document["exercises"]["f"] = {"source": None, "status": "not attempted", "updated": work.now()}
    page("put", work.FILE_NAME, {"format": "text", "data": json.dumps(document)})
    assert one.verify()
    assert one.entry("f")["source"] is None and one.take_notices() == []
    one.save({"g": {"source": "more"}})
    assert json.loads(page.bytes())["exercises"]["f"]["source"] is None
    one.save({"f": {"source": "anew"}})
    assert json.loads(page.bytes())["exercises"]["f"]["source"] == "anew"


def test_a_finding_of_a_release_goes_with_a_later_check():
    early = entry("2026-01-01T00:00:00.000Z", recheck="wrong for n = 0", release="2")
    late = entry("2026-01-02T00:00:00.000Z", release="3")
    assert "recheck" not in work.merged(early, late) and work.merged(late, early)["release"] == "3"


def test_the_place_of_the_document(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert work.location() == tmp_path / "tinytorch-work.json"
    monkeypatch.setenv("TINYTORCH_WORK", str(tmp_path / "mine.json"))
    assert work.location() == tmp_path / "mine.json"
    monkeypatch.delenv("TINYTORCH_WORK")
    monkeypatch.setattr(work.sys, "platform", "emscripten")
    assert work.location() == Path("/drive/tinytorch-work.json")
    assert isinstance(work.store_for(tmp_path), work.Disk)
    monkeypatch.setattr(work, "page_request", FakePage)
    assert isinstance(work.store_for(work.location()), work.Drive)
    monkeypatch.setattr(work, "page_request", lambda: None)
    assert isinstance(work.store_for(work.location()), work.Nowhere)
