"""One kernel's session: the course, the student's package in it, her saved work, and what a cell does to them."""

from __future__ import annotations

import atexit
import contextlib
import difflib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import card, course, loader, runner, source, stage, work
from .outcome import GIVEN, NOT_ATTEMPTED, NOT_YET, PASSED, Failure, Result

Bundle = card.Bundle
MILESTONE = "milestone"  # a milestone's entry in the work document is "milestone 1"

NO_SOLUTIONS = "This course was published without solutions, or this page is offline and does not have them yet."


class Session:
    """Everything that the magics need; methods return what is to be shown."""

    def __init__(self, root: Path | None, folder: Path, store: work.Store) -> None:
        self.root = root
        self.course = course.load(root)
        self.index = course.exercise_index(self.course)
        self.last = ""  # the exercise that was worked on last
        base = course.site_base()
        self.work = work.Work(store, self.course["release"], f"{base}/" if base else "")
        self.work.load()
        self._take_over_renamed()
        skeleton, installed = course.skeleton(self.course, root), None if root else course.installed_package()
        self.package = loader.Package(folder / course.PACKAGE, course.PACKAGE, skeleton, installed)
        if course.PACKAGE in sys.modules:
            self.work.notices.append(
                f"{course.PACKAGE} was imported before the checks were loaded. Run your import again: it is now "
                "the package that you write."
            )
        self.tt = self._assembled()

    @property
    def release(self) -> str:
        """The release of the course in this kernel."""
        return str(self.course["release"])

    def _take_over_renamed(self) -> None:
        """Bring answers to exercises under their new names; the old entries stay, for an older release."""
        found: dict[str, work.Entry] = {}
        for old, new in renamed(self.course.get("renamed", {})).items():
            entry, known = self.work.entry(old), found.get(new) or self.work.entry(new)
            if entry.get("source") and new in self.index and entry.get("updated", "") > known.get("updated", ""):
                found[new] = _with_new_name(entry, old, new, self.index[new][0]["id"])
        if found:
            self.work.adopt(found)

    def _assembled(self) -> Any:
        """The package with all saved answers in it; an answer that stops it from loading is left out."""
        answers: dict[str, dict[str, str]] = {}
        filled = self._filled()
        for name, (_, exercise, _) in self.index.items():
            if text := filled.get(name) or self.work.entry(name).get("source"):
                answers.setdefault(exercise["file"], {})[name] = text
        try:
            self.package.write(answers)
            return self.package.imported()
        except (Exception, SystemExit):
            self.package.write({})
            package = self.package.imported()
        left_out = [
            name
            for path, by_name in answers.items()
            for name, saved in by_name.items()
            if not self._loads(path, name, saved)
        ]
        if left_out:
            self.work.notices.append(
                f"The saved code of {', '.join(left_out)} could not be loaded. It is still saved: "
                f"`%recall {left_out[0]}` brings it into a cell."
            )
        return package

    def _filled(self) -> dict[str, str]:
        """The reference's definitions of the exercises that the student asked to have filled in."""
        found: dict[str, str] = {}
        for module in self.course["modules"]:
            names = [e["name"] for e in module["exercises"] if self.work.entry(e["name"]).get("given")]
            texts = self._solutions(module) if names else {}
            if texts is None:
                self.work.notices.append(
                    f"{card.counted(len(names), 'exercise')} of module {module['id']} that `%fill` had filled in could "
                    f"not be read from this site now. `%fill {module['id']}` tries again."
                )
            else:
                found |= {name: texts[name] for name in names if name in texts}
        return found

    def _loads(self, path: str, name: str, saved: str) -> bool:
        try:
            self.package.load(path, name, saved)
        except (SyntaxError, loader.LoadError):
            return False
        return True

    def warm_up(self) -> None:
        """Load pytest and the checks of the module that is probably next."""
        module = course.find_module(self.course, self._current_module())
        if module is not None and module["exercises"]:
            runner.warm_up(self._path(module))

    # What the magics do.

    def run_exercise(self, name: str, cell: str, namespace: dict[str, Any]) -> Bundle:
        """Take the answer in a cell: load it, check it, save it. Raises SyntaxError as the cell's own."""
        module, exercise, _ = self.index[name]
        path, given = exercise["file"], self.package.given(exercise["file"], name)
        self.last = name
        try:
            answer = source.read_answer(cell, name, given)
        except source.AnswerError as error:
            return card.message(f"{name} was not run", str(error), [card.Part("", "Nothing was changed.")])
        saved = self.work.entry(name).get("source")
        if source.is_stub(answer, given):
            return self._untouched(name, module, path, given, saved)
        try:
            self.package.load(path, name, answer, [namespace])
        except loader.LoadError as error:
            result = self._not_loadable(name, module, error)
        else:
            result = self._checked(module, [name])[0]
            _number_cell_lines(result, self.package, path, name, cell)
        self._save(name, module, answer, result)
        return self._card(result, module)

    def _untouched(self, name: str, module: dict[str, Any], path: str, given: str, saved: str | None) -> Bundle:
        """The cell is as it was given: not attempted, and a saved answer or a filled-in one stays where it is."""
        if self.work.entry(name).get("given"):
            return self._given_card(name)
        if not saved:
            self.package.load(path, name, given)
            return self._card(self._checked(module, [name], stubs=[name])[0], module)
        entry = self.work.entry(name)
        return card.message(
            f"{card.SYMBOLS[NOT_ATTEMPTED]} {name}: this cell is as it was given",
            f"Your saved answer ({entry.get('status', NOT_YET)}) stays in place. "
            f"`%recall {name}` brings it into a cell.",
        )

    def _not_loadable(self, name: str, module: dict[str, Any], error: loader.LoadError) -> Result:
        marks = self._marks(module)[name]
        failure = Failure(
            "error",
            "",
            str(error),
            why="the definition itself failed, before any call: look at default values, decorators and class bodies",
            lines=error.lines,
        )
        lost = runner.CheckResult("load", 0, False, failure)
        return Result(name, NOT_YET, marks.points, len(marks.functions), [lost])

    def _save(self, name: str, module: dict[str, Any], answer: str, result: Result) -> None:
        old = self.work.entry(name)
        fields: work.Entry = {
            "module": module["id"],
            "status": result.status,
            "source": answer,
            "given": False,
            "attempts": old.get("attempts", 0) + 1,
            "release": self.release,
            "recheck": "",
            **_scores(result),
        }
        if result.status == PASSED:
            fields["passed_source"] = answer
            fields["first_passed"] = old.get("first_passed") or work.now()
        self.work.save({name: fields})

    def check(self, argument: str) -> Bundle:
        """`%check NAME` or `%check 01`; without an argument the module that was worked on last."""
        if argument in self.index:
            if self.work.entry(argument).get("given"):
                return self._given_card(argument)
            module = self.index[argument][0]
            result = self._checked(module, [argument], self._stubs([argument]))[0]
            self._save_scores([result])
            return self._card(result, module)
        module_or_none = course.find_module(self.course, argument or self._current_module())
        if module_or_none is None or not module_or_none["exercises"]:
            return self.unknown(argument, [*self.index, *(m["id"] for m in self.course["modules"])])
        names = [exercise["name"] for exercise in module_or_none["exercises"]]
        given = {name for name in names if self.work.entry(name).get("given")}
        results = self._checked(module_or_none, names, {*self._stubs(names), *given})
        self._save_scores(result for result in results if result.exercise not in given)
        results = [replace(r, status=GIVEN) if r.exercise in given else r for r in results]
        title = f"Module {module_or_none['id']}, {module_or_none['title']}"
        found = {r.exercise: words for r in results if r.status == NOT_YET and (words := self._finding(r))}
        results = [replace(r, status=PASSED) if r.exercise in found else r for r in results]
        return card.of_module(title, results, [*found.values(), *self.work.take_notices()])

    def _finding(self, result: Result) -> str:
        """What the checks of this release find in an exercise that was solved under another one."""
        name, entry = result.exercise, self.work.entry(result.exercise)
        if result.failure and self._waits(result):
            return f"{name} stays solved. In release {self.release} it needs {result.failure.needs} as well."
        if not entry.get("recheck"):
            return ""
        return (
            f"{name} stays solved. The checks of release {self.release} find something in it: {entry['recheck']} "
            f"Run `%check {name}`."
        )

    def _save_scores(self, results: Iterable[Result]) -> None:
        """Store new results of exercises that have a saved answer, when they changed, in one write."""
        changes = {r.exercise: fields for r in results if (fields := self._new_scores(r))}
        if changes:
            self.work.save(changes)

    def _new_scores(self, result: Result) -> work.Entry:
        """What a result changes in its exercise's entry; nothing when there is no saved answer."""
        old = self.work.entry(result.exercise)
        if not old.get("source") or self._waits(result):
            return {}
        checked: work.Entry = {"release": self.release, "recheck": ""}
        if result.status != PASSED and self._solved_before(old):
            checked["recheck"] = _sentence(result)
        elif (old.get("status"), old.get("points")) != (result.status, result.points):
            checked |= {"status": result.status, **_scores(result)}
        if result.status == PASSED:
            checked["passed_source"] = old["source"]
            checked["first_passed"] = old.get("first_passed") or work.now()
        same = {"recheck": "", **{key: old.get(key) for key in checked if key in old}}
        return {} if checked == same else checked

    def _waits(self, result: Result) -> bool:
        """Is a solved exercise not to be judged yet, since a new exercise of this release is missing under it?"""
        needs = result.failure.needs if result.failure else ""
        return bool(needs) and self._solved_before(self.work.entry(result.exercise))

    def _solved_before(self, entry: work.Entry) -> bool:
        """Did this very answer pass the checks of another release? Then it stays solved whatever this one finds."""
        solved = entry.get("status") == PASSED and entry.get("source") == entry.get("passed_source")
        return solved and (entry.get("release") != self.release or bool(entry.get("recheck")))

    # Solved under another release: checked again, one exercise at a time, while nothing else runs.

    def unchecked(self) -> list[str]:
        """Solved exercises that this release's checks have not seen yet, in the order of the course."""
        return [
            name
            for name in self.index
            if self.work.entry(name).get("release") != self.release and self._solved_before(self.work.entry(name))
        ]

    def recheck(self, name: str) -> Result | None:
        """Check a solved exercise once more, unless it is not in the package now; nothing is saved."""
        if self.work.entry(name).get("given") or self._stubs([name]):
            return None
        module = self.index[name][0]
        return runner.run(self._path(module), [name], self.tt, measured=False)[0]

    def note_rechecked(self, results: Iterable[Result]) -> None:
        """Save what the new checks found, and say it once."""
        done = list(results)
        self._save_scores(done)
        names = [r.exercise for r in done if self.work.entry(r.exercise).get("recheck")]
        if names:
            self.work.notices.append(
                f"The checks of release {self.release} find something in {', '.join(names)}, which you solved under an "
                f"earlier one. {'It stays' if len(names) == 1 else 'They stay'} solved; "
                f"{' '.join(f'`%check {name}`' for name in names)} shows what it is."
            )

    def refresh(self) -> None:
        """Learn what another tab or the map changed; an answer that was reset there is taken out of the package."""
        before = {name for name in self.index if self.work.entry(name).get("source")}
        self.work.refresh()
        gone = [name for name in self.index if name in before and self.work.entry(name).get("source", "") is None]
        for name in gone:
            path = self.index[name][1]["file"]
            self.package.load(path, name, self.package.given(path, name))
        if gone:
            self.work.notices.append(f"{', '.join(gone)}: reset on the map of the course, and as given again here.")

    def drive_is_here(self) -> None:
        """The page has mounted its drive: what was read before is looked at again, and saved there from now on."""
        if isinstance(self.work.store, work.Early):
            self.work.move(work.store_for(work.location()))
            self.refresh()

    def hint(self, name: str) -> Bundle:
        """The next hint of an exercise; when all were seen, all of them."""
        module = self.index[name][0]
        hints = self._marks(module)[name].hints
        self.last = name
        if not hints:
            return card.message(f"{name} has no hints", f"`%solution {name}` shows how it can be written.")
        seen = self.work.entry(name).get("hints", 0)
        if seen >= len(hints):
            parts = [card.Part(f"hint {i}", text) for i, text in enumerate(hints, 1)]
            return card.message(f"All hints of {name}", f"`%solution {name}` shows how it can be written.", parts)
        self.work.save({name: {"module": module["id"], "hints": seen + 1}})
        left = len(hints) - seen - 1
        after = (
            f"`%hint {name}` shows the next one." if left else f"This was the last one; there is `%solution {name}`."
        )
        return self._message(f"{name}: hint {seen + 1} of {len(hints)}", hints[seen], [card.Part("", after)])

    def solution(self, name: str) -> Bundle:
        """The solution, which is marked as seen; or that this course has none."""
        module = self.index[name][0]
        self.last = name
        texts = self._solutions(module)
        if texts is None:
            return card.message("No solutions here", NO_SOLUTIONS)
        self.work.save({name: {"module": module["id"], "solution_seen": True}})
        return self._message(f"A solution of {name}", "", [card.Part("", texts[name], code=True)])

    def _solutions(self, module: dict[str, Any]) -> dict[str, str] | None:
        """The reference's definition of every exercise of a module; None when they cannot be had."""
        if self.root is not None:
            texts = course.reference(self.root)
            return {e["name"]: source.definition(texts[e["file"]], e["name"]) for e in module["exercises"]}
        base = course.site_base()
        text = fetch(f"{base}/solutions/{module['id']}_{module['name']}.json") if base else None
        return json.loads(text) if text is not None else None

    def fill(self, words: list[str], progress: Callable[[int, int], None]) -> Bundle:
        """Put the reference's code where exercises are missing: in modules (`01`), or in exercises by name.

        In a module what the student has written stays; an exercise given by name is exchanged, and the student's
        own answer stays saved. progress(done, of) is called before each exercise.
        """
        chosen: dict[str, dict[str, Any]] = {}
        for word in words:
            module = self.index[word][0] if word in self.index else course.find_module(self.course, word)
            if module is None or not module["exercises"]:
                return self.unknown(word, [*self.index, *(m["id"] for m in self.course["modules"])])
            names = [word] if word in self.index else self._stubs(e["name"] for e in module["exercises"])
            chosen |= dict.fromkeys(names, module)
        texts: dict[str, str] = {}
        for module in {m["id"]: m for m in chosen.values()}.values():
            solutions = self._solutions(module)
            if solutions is None:
                return card.message("Nothing was filled in", NO_SOLUTIONS)
            texts |= solutions
        for done, name in enumerate(chosen):
            progress(done, len(chosen))
            self.package.load(self.index[name][1]["file"], name, texts[name])
        if chosen:
            self.work.save({name: {"module": m["id"], "status": GIVEN, "given": True} for name, m in chosen.items()})
        title = f"{card.SYMBOLS[GIVEN]} {card.counted(len(chosen), 'exercise')} filled in from the reference"
        text = (
            "They work now and are marked as given on the map: they count as not solved. Run the cell of an exercise "
            "with your own code to make it yours."
            if chosen
            else "Nothing was missing. `%fill NAME` with the name of an exercise puts the reference in place of your "
            "own code, which stays saved."
        )
        return self._message(title, text, [])

    def _given_card(self, name: str) -> Bundle:
        return card.message(
            f"{card.SYMBOLS[GIVEN]} {name}: filled in from the reference",
            "It works, and it counts as not solved. Write your own in its cell and run it: yours takes its place."
            + (f" `%recall {name}` brings your saved answer back." if self.work.entry(name).get("source") else ""),
        )

    def recall(self, name: str, which: str = "source") -> tuple[str | None, Bundle]:
        """Text for the cell with a saved answer (None when there is none), and what is said about it.

        which: "source" for the saved answer, "passed_source" for the last that passed, "other_source" for the one
        that an answer from another tab replaced.
        """
        saved = self.work.entry(name).get(which)
        if not saved:
            what = {"passed_source": "answer that passed", "other_source": "answer of another tab"}
            which = what.get(which, "answer")
            return None, card.message(f"No saved {which} to {name}", "Nothing was changed.")
        self.last = name
        return f"%%exercise {name}\n{saved}", card.message(
            f"{name} is back in its cell", "Run the cell to load and check it."
        )

    def milestone(self, word: str) -> Bundle:
        """Run a milestone with the student's package, judge it, and record what came of it."""
        stones = {str(m["id"]): m for m in self.course["milestones"] if m.get("notebook")}
        if word not in stones:
            return self.unknown(word, stones, "milestone")
        stone = stones[word]
        folder = self.root / "milestones" if self.root else course.HERE / "milestones"
        names = stage.read(folder / f"{stone['id']:02}_{stone['name']}.py")
        outcome = stage.run(names["main"], names["gate"], self.tt, given=self._given_names())
        key = f"{MILESTONE} {stone['id']}"
        old = self.work.entry(key)
        fields: work.Entry = {
            "module": f"M{stone['id']}",
            "status": outcome.status,
            "attempts": old.get("attempts", 0) + 1,
            "seconds": round(outcome.seconds, 1),
            "release": self.release,
        }
        if outcome.picture:
            fields["picture"] = outcome.picture
        if outcome.status in (PASSED, GIVEN):
            fields["claims"] = [sentence for sentence, _ in outcome.claims]
        if outcome.status == PASSED:
            fields["first_passed"] = old.get("first_passed") or work.now()
        self.work.save({key: fields})
        title = [f"Milestone {stone['id']}, {stone['title']} {stone['year']}"]
        notes = [card.Part("note", notice) for notice in self.work.take_notices()]
        return card.bundle(outcome.status, title, [*outcome.parts(), *notes])

    def _given_names(self) -> set[str]:
        return {name for name in self.index if self.work.entry(name).get("given")}

    # Names that are not there.

    def unknown(self, name: str, known: Iterable[str], what: str = "exercise") -> Bundle:
        """An exercise, module or milestone that does not exist, and the ones with similar names."""
        names = list(known)
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        close += [k for k in names if name and k.split(".")[-1] == name.split(".")[-1] and k not in close]
        text = f"Did you mean {' or '.join(f'`{n}`' for n in close)}?" if close else ""
        if not text:
            text = "The lesson names its exercises." if what == "exercise" else f"There are: {', '.join(names)}."
        return card.message(f"There is no {what} {name}" if name else f"Which {what}?", text)

    # Helpers.

    def _current_module(self) -> str:
        """The module worked on last: in this kernel, else in the saved work, else the first with a lesson."""
        if self.last:
            return self.index[self.last][0]["id"]
        own = {name: e for name, e in self.work.entries.items() if name in self.index and not e.get("given")}
        saved = [(entry.get("updated", ""), name) for name, entry in own.items()]
        if saved:
            return self.index[max(saved)[1]][0]["id"]
        return next((m["id"] for m in self.course["modules"] if m["exercises"]), "01")

    def _path(self, module: dict[str, Any]) -> Path:
        return course.checks_file(self.root, module)

    def _marks(self, module: dict[str, Any]) -> dict[str, course.ExerciseChecks]:
        return course.collect(self._path(module))

    def _stubs(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that the package still has as they were given."""
        files = {name: self.index[name][1]["file"] for name in names}
        return [
            name
            for name, path in files.items()
            if source.is_stub(self.package.answer(path, name), self.package.given(path, name))
        ]

    def _checked(self, module: dict[str, Any], names: list[str], stubs: Iterable[str] = ()) -> list[Result]:
        return runner.run(self._path(module), names, self.tt, stubs)

    def _card(self, result: Result, module: dict[str, Any]) -> Bundle:
        names = [exercise["name"] for exercise in module["exercises"]]
        after = names[names.index(result.exercise) + 1 :]
        context = card.Context(
            hints=len(self._marks(module)[result.exercise].hints),
            hints_seen=self.work.entry(result.exercise).get("hints", 0),
            next_name=after[0] if after else "",
            module_id=module["id"],
            places={name: f"exercise {n} of module {m['id']}, {m['title']}" for name, (m, _, n) in self.index.items()},
            modules={name: m["id"] for name, (m, _, _) in self.index.items()},
            notices=self.work.take_notices(),
        )
        return card.of_result(result, context)

    def _message(self, title: str, text: str, parts: list[card.Part]) -> Bundle:
        """A message with what is to be said about saving."""
        notes = [card.Part("note", notice) for notice in self.work.take_notices()]
        return card.message(title, text, [*parts, *notes])


def _number_cell_lines(result: Result, package: loader.Package, path: str, name: str, cell: str) -> None:
    """Note for the failures' lines where they stand in the cell that was run (its line 1 is the magic)."""
    placed = source.spans(package.texts[path], name)
    written = source.spans(source.definition_text(cell), name.split(".")[-1])
    shown = f"{course.PACKAGE}/{path}"
    for check in result.checks:
        if check.failure:
            lines = tuple(
                replace(line, cell_line=line.number - placed[0].first + written[0].first + 1)
                if line.file == shown and placed[0].first <= line.number <= placed[-1].last
                else line
                for line in check.failure.lines
            )
            check.failure = replace(check.failure, lines=lines)


def renamed(names: dict[str, str]) -> dict[str, str]:
    """Old name -> the name it has now, also for what was renamed more than once; a circle is left out."""
    found = {}
    for old in names:
        new, passed = names[old], {old}
        while new in names and new not in passed:
            passed.add(new)
            new = names[new]
        if new not in names:
            found[old] = new
    return found


def _with_new_name(entry: work.Entry, old: str, new: str, module_id: str) -> work.Entry:
    """An entry under the new name of its exercise, its answers renamed; not checked under any release yet."""
    taken = {key: value for key, value in entry.items() if key not in ("release", "recheck")}
    for key in ("source", "passed_source", "other_source"):
        if entry.get(key):
            taken[key] = source.renamed(entry[key], old, new)
    return {**taken, "module": module_id}


def _sentence(result: Result) -> str:
    """What a failed check found, in one line."""
    failure = result.failure
    said = failure.why or failure.message if failure else "a check fails"
    line = " ".join(said.split())
    return line if line.endswith((".", "?")) else f"{line}."


def _scores(result: Result) -> work.Entry:
    return {
        "points": result.points,
        "of": result.of,
        "seconds": round(result.seconds, 6),
        "peak_bytes": result.peak_bytes,
    }


def start(store: work.Store | None = None) -> Session:
    """The session of this kernel, from where the kit is installed; the first exercise finds all loaded."""
    session = Session(course.find_root(), student_folder(), store or work.store_for(work.location()))
    with contextlib.suppress(Exception):  # a broken file of checks is reported when an exercise needs it
        session.warm_up()
    if sys.platform == "emscripten":
        _listen(session)
    return session


def _listen(session: Session) -> None:
    """Follow the map of the course: what is reset or imported there is known here before the next cell."""
    import js
    from pyodide.ffi import create_proxy

    channel = js.BroadcastChannel.new("tinytorch")
    channel.onmessage = create_proxy(lambda event: session.refresh())


def student_folder() -> Path:
    """A fresh folder for the student's package: in the page below the home directory, else a temporary one."""
    if sys.platform == "emscripten":
        folder = Path.home() / "student"
        shutil.rmtree(folder / course.PACKAGE, ignore_errors=True)
        return folder
    folder = Path(tempfile.mkdtemp(prefix="tinytorch-")) / "student"
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    return folder


def fetch(url: str) -> str | None:
    """Text of a file of the site, or None when it is not there. Only in the page's worker, where this may block."""
    import js
    from pyodide.ffi import JsException

    request = js.XMLHttpRequest.new()
    request.open("GET", url, False)
    try:
        request.send()
    except JsException:  # offline, and not kept for it
        return None
    return str(request.responseText) if request.status == 200 else None
