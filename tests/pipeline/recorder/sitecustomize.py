"""Records what a pipeline stage reads while it runs: parameters, files, modules, environment variables.

Python imports a module of this name at every start, so each process of a stage records itself, also the workers that
it starts. With this folder first on `PYTHONPATH` and `RECORD` set to a folder, each process appends lines
`kind<TAB>name<TAB>readers` to a file there. DVC names the stage, in `DVC_STAGE`.

- `param`: a value of `params.yaml`, by dotted key, with the functions of gogooku3 on the call stack. A section that is
  copied whole (`asdict`, `hash`, `repr`, `==`) has each of its values read.
- `file`: a file or folder in the working directory that any process opened, in any language, from the import of the
  stage's module until its `run` returns. Linux reports it (inotify). What was created in that time is no input.
- `module`: a module of gogooku3 that was loaded in that time.
- `variable`: an environment variable that code of gogooku3 read. `outside`: a file elsewhere that Python opened.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

PACKAGE = f"{os.sep}src{os.sep}gogooku3{os.sep}"
UNWATCHED = (".git/objects", ".dvc/cache", ".dvc/tmp")
"""Objects by hash, and DVC's own records of the run."""
KEY = "_key_of_params"
WATCHED = "RECORD_WATCHED"
"""Variable of the processes that a stage starts: its watch sees what they open, and would see them list the folders."""
OPEN, MOVED_TO, CREATE, OVERFLOW, IS_FOLDER = 0x20, 0x80, 0x100, 0x4000, 0x40000000
"""Masks of inotify's events."""

_seen: set[tuple[str, str, str]] = set()


def note(kind: str, name: str, readers: str = "") -> None:
    """Appends a line, once in a process."""
    if (kind, name, readers) not in _seen:
        _seen.add((kind, name, readers))
        line = f"{kind}\t{name}\t{readers}\n".encode()
        target = os.open(
            f"{os.environ['RECORD']}/{os.environ['DVC_STAGE']}.{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND
        )
        os.write(target, line)
        os.close(target)


def readers(frame: FrameType | None) -> str:
    """The functions of gogooku3 on a call stack, the innermost last: `stages/train.py:run …`."""
    named: list[str] = []
    while frame is not None:
        code = frame.f_code
        if PACKAGE in code.co_filename:
            named.append(f"{code.co_filename.rpartition(PACKAGE)[2]}:{code.co_name}")
        frame = frame.f_back
    return " ".join(dict.fromkeys(reversed(named)))


# Parameters.


def record_section(section: Callable[[type], type]) -> Callable[[type], type]:
    """`gogooku3.config.section.section`, whose classes record which of their values are read."""

    def made(cls: type) -> type:
        result = section(cls)
        result.__getattribute__ = _read  # type: ignore[method-assign, assignment]
        return result

    return made


def _read(self: object, name: str) -> Any:
    value = object.__getattribute__(self, name)
    known = type(self).__dataclass_fields__  # type: ignore[attr-defined]
    if name in known or (name == "__dict__" and not _is_sent()):
        own = object.__getattribute__(self, "__dict__")
        names = [name] if name in known else [each for each in known if each in own]
        for each in names if KEY in own else []:
            if not is_dataclass(own[each]):
                note("param", f"{own[KEY]}{each}", readers(sys._getframe(1)))
    return value


def _is_sent() -> bool:
    """Whether the values are pickled for a worker process, which records what it reads of them."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("multiprocessing."):
            return True
        frame = frame.f_back
    return False


def record_load(load: Callable[..., object]) -> Callable[..., object]:
    """`gogooku3.config.load`, whose result knows its keys; worker processes receive them with the values."""

    def loaded(*arguments: object) -> object:
        params = load(*arguments)
        _mark(params, "")
        return params

    return loaded


def _mark(value: object, key: str) -> None:
    if is_dataclass(value):
        for field in fields(value):
            _mark(getattr(value, field.name), f"{key}{field.name}.")
        object.__setattr__(value, KEY, key)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            _mark(each, f"{key}{name}.")


# Files.


class Watch:
    """The files and folders below the working directory that are opened from now on, by any process."""

    def __init__(self) -> None:
        self._root = Path.cwd()
        self._library = ctypes.CDLL(None, use_errno=True)
        self._events = self._library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._folders: dict[int, str] = {}
        for folder in [*self._find()]:  # all of them first: listing them would be recorded
            number = self._library.inotify_add_watch(self._events, os.fsencode(folder), OPEN | MOVED_TO | CREATE)
            if number < 0:
                raise OSError(ctypes.get_errno(), "inotify cannot watch it", folder)
            self._folders[number] = folder

    def _find(self) -> Iterator[str]:
        for folder, folders, _ in os.walk("."):
            yield folder.removeprefix("./")
            folders[:] = [name for name in folders if os.path.normpath(f"{folder}/{name}") not in UNWATCHED]

    def end(self) -> set[str]:
        """The paths that existed before, and were opened; a folder ends with a slash."""
        opened: set[str] = set()
        created: set[str] = set()
        for number, mask, name in self._read():
            if mask & OVERFLOW:
                raise RuntimeError("inotify lost events")
            path = os.path.normpath(f"{self._folders[number]}/{name}")
            if mask & (CREATE | MOVED_TO):
                created.add(path)
            elif mask & OPEN and path not in created:
                opened.add(path + "/" if mask & IS_FOLDER else path)
        os.close(self._events)
        return opened

    def _read(self) -> Iterator[tuple[int, int, str]]:
        while True:
            try:
                data = os.read(self._events, 1 << 20)
            except BlockingIOError:
                return
            while data:
                number, mask, _, length = struct.unpack_from("iIII", data)
                yield number, mask, data[16 : 16 + length].rstrip(b"\0").decode()
                data = data[16 + length :]


def record_run(run: Callable[..., None], watch: Watch, before: Set[str]) -> Callable[..., None]:
    """A stage's `run`, after which its files and modules are recorded."""

    def recorded(*arguments: Any) -> None:
        try:
            run(*arguments)
        finally:
            _running.clear()
            for path in watch.end():
                note("file", path)
            for name in sys.modules.keys() - before:
                if name.partition(".")[0] == "gogooku3":
                    note("module", name)

    return recorded


# Environment variables, and files elsewhere.

_running: list[str] = []
"""The folders whose files are not noted, while a stage runs; empty before and after."""


def record_variables() -> None:
    """Records the names of variables that code of gogooku3 reads."""
    plain = type(os.environ).__getitem__

    def read(self: Any, name: str) -> str:
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") in ("os", "_collections_abc", "collections.abc"):
            frame = frame.f_back  # type: ignore[assignment]
        if _running and frame is not None and PACKAGE in frame.f_code.co_filename:
            note("variable", name, readers(frame))
        return plain(self, name)

    type(os.environ).__getitem__ = read  # type: ignore[method-assign]


def record_outside(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: records files that Python opens outside of the working directory and the environment."""
    if event == "open" and _running and isinstance(arguments[0], str | bytes | os.PathLike):
        path = str(Path(os.fsdecode(arguments[0])).absolute())
        if not path.startswith(tuple(_running)):
            note("outside", path, readers(sys._getframe(1)))


# Import hook.


class Recorded(Loader):
    """A loader of a module that is changed after it was loaded."""

    def __init__(self, loader: Any, change: Callable[[ModuleType], None]) -> None:
        self._loader, self._change = loader, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)


class Recorder(MetaPathFinder):
    """Records from the three places where gogooku3 makes its parameters and runs its stages."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if not name.startswith("gogooku3"):
            return None
        change: Callable[[ModuleType], None]
        if name == "gogooku3.config.section":
            change = _wrap("section", record_section)
        elif name == "gogooku3.config":
            change = _wrap("load", record_load)
        elif name == f"gogooku3.stages.{os.environ['DVC_STAGE'].partition('@')[0]}" and WATCHED not in os.environ:
            os.environ[WATCHED] = "yes"
            places = (tempfile.gettempdir(), sys.prefix, sys.base_prefix, "/proc/", "/sys/", "/dev/")
            _running.extend((str(Path.cwd()), os.environ["RECORD"], str(Path(__file__).parent), *places))
            watch, before = Watch(), frozenset(sys.modules)
            change = _wrap("run", lambda run: record_run(run, watch, before))
        else:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = Recorded(spec.loader, change)
        return spec


def _wrap(name: str, wrapper: Callable[[Any], Any]) -> Callable[[ModuleType], None]:
    return lambda module: setattr(module, name, wrapper(getattr(module, name)))


if "RECORD" in os.environ and "DVC_STAGE" in os.environ:
    sys.meta_path.insert(0, Recorder())
    sys.addaudithook(record_outside)
    record_variables()
