"""The C interface of chatllm.cpp: find ``libchatllm``, load it, and keep its one object out of harm's way.

::

    find_library ──▶ Library: ggml beside it is loaded first, the functions get their types
                        │
                     start(words) ──▶ say(text) … restart() … ──▶ destroy()
                        │                  │
                        └── the library calls back, on this thread: listener(print type, text)

What would abort or corrupt the process cannot be reached from here: a second object while one lives, a start
after one that failed, a call without an object, a second destroy. Nothing is imported from chatllm.cpp; what
the text means is :mod:`.output`'s business, and what is asked is :mod:`.engine`'s.
"""

from __future__ import annotations

import ctypes
import glob
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator_worker.engines.base import EngineError, EngineUnavailableError

LIBRARY_VARIABLE = "CHATLLM_LIB"
SUFFIX = "dylib" if sys.platform == "darwin" else "so"
USUAL_PLACE = f"chatllm.cpp/bindings/libchatllm.{SUFFIX}"
GGML_PLACES = (".", "../build/lib", "../build/bin", "../lib", "../build")
"""Where ggml's shared libraries may lie, as seen from the folder of ``libchatllm``."""
BUILD = "cmake -S chatllm.cpp -B chatllm.cpp/build && cmake --build chatllm.cpp/build --target libchatllm -j"
NO_DESTROY = "this library has no chatllm_destroy: memory is only returned by ending the process"

_PrintCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
_EndCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_FUNCTIONS: dict[str, tuple[list[Any], Any]] = {
    "chatllm_create": ([], ctypes.c_void_p),
    "chatllm_append_param": ([ctypes.c_void_p, ctypes.c_char_p], None),
    "chatllm_start": ([ctypes.c_void_p, _PrintCallback, _EndCallback, ctypes.c_void_p], ctypes.c_int),
    "chatllm_user_input": ([ctypes.c_void_p, ctypes.c_char_p], ctypes.c_int),
    "chatllm_restart": ([ctypes.c_void_p, ctypes.c_char_p], None),
    "chatllm_abort_generation": ([ctypes.c_void_p], None),
    "chatllm_get_cursor": ([ctypes.c_void_p], ctypes.c_int),
}
Listener = Callable[[int, str], None]
_only: Library | None = None


def find_library(named: str | None) -> str:
    """Return the library's path: the one ``named``, else ``CHATLLM_LIB``, else the usual place under our folder.

    Raises:
        EngineUnavailableError: There is no such file.
    """
    path = os.path.abspath(named or os.environ.get(LIBRARY_VARIABLE, "").strip() or USUAL_PLACE)
    if not os.path.isfile(path):
        raise EngineUnavailableError(
            f"library {path} is not there", f"{BUILD}; or name another as `library`, or in {LIBRARY_VARIABLE}"
        )
    return path


def open_library(path: str) -> Library:
    """Load the library, once per process.

    Raises:
        EngineUnavailableError: It cannot be loaded, or lacks a function.
        EngineError: Another one is loaded already.
    """
    global _only  # noqa: PLW0603 - the loader keeps one per process, whatever we would like
    if _only is None:
        _only = Library(path)
    if _only.path != path:
        raise EngineError(f"{_only.path} is loaded in this process; {path} needs a process of its own")
    return _only


class Library:
    """The loaded library and its one object.

    ``ggml`` lists the libraries that were loaded first, ``has_destroy`` tells an old build from a newer one.
    """

    def __init__(self, path: str) -> None:
        """Load ggml and the library; see :func:`open_library`, which should be called instead."""
        self.path = path
        self.ggml, refused = _preload_ggml(os.path.dirname(path))
        try:
            self._functions = ctypes.CDLL(path)
        except OSError as error:
            raise EngineUnavailableError(
                f"{path} cannot be loaded: {'; '.join([str(error), *refused])}", f"build it again: {BUILD}"
            ) from error
        for name, (arguments, returned) in _FUNCTIONS.items():
            function = getattr(self._functions, name, None)
            if function is None:
                raise EngineUnavailableError(
                    f"{path} has no {name}; is it chatllm.cpp's?", f"build a newer one: {BUILD}"
                )
            function.argtypes, function.restype = arguments, returned
        self._destroy = getattr(self._functions, "chatllm_destroy", None)
        self.has_destroy = self._destroy is not None
        if self._destroy is not None:
            self._destroy.argtypes, self._destroy.restype = [ctypes.c_void_p], ctypes.c_int
        self._object: int | None = None
        self._spoilt = ""
        self._listener: Listener | None = None
        self._first_error: BaseException | None = None
        self._token = 0
        self._busy = False
        # Made once: a callback object per load would look like the library's own growth.
        self._print_callback = _PrintCallback(self._printed)
        self._end_callback = _EndCallback(_ended)

    @property
    def started(self) -> bool:
        """Whether there is an object that can be spoken to."""
        return self._object is not None

    def require_room(self) -> None:
        """Make sure that an object can be made in this process.

        Raises:
            EngineError: One lives already, or a start has failed here.
        """
        if self._object is not None:
            why = "" if self.has_destroy else f" ({NO_DESTROY})"
            raise EngineError(f"chatllm: one object per process, and one lives already{why}")
        if self._spoilt:
            raise EngineError(f"chatllm: {self._spoilt}; start a fresh process")

    def start(self, words: Sequence[str], listener: Listener) -> int:
        """Create the object with the argv ``words`` and start it; return the library's code, 0 for well.

        After any other code this process takes no further object: a failed start keeps memory and a descriptor,
        and whatever is called on its object aborts.

        Raises:
            EngineError: There is no room, see :meth:`require_room`, or a word has a NUL in it.
        """
        self.require_room()
        encoded = [as_c_string(word, "a parameter") for word in words]
        self._spoilt = "a start has failed in this process before"
        created = self._functions.chatllm_create()
        if not created:
            raise EngineError("chatllm_create returned no object")
        for word in encoded:
            self._functions.chatllm_append_param(created, word)
        self._token += 1
        code = self._listening(
            listener,
            lambda: self._functions.chatllm_start(
                created, self._print_callback, self._end_callback, self._token
            ),
        )
        if code == 0:
            self._object, self._spoilt = created, ""
        return code

    def say(self, text: str, listener: Listener) -> int:
        """Hand over one input; return the library's code when it has been worked through.

        That is the end: the library's own end callback comes twice.

        Raises:
            EngineError: There is no object, or it is at work (the listener called).
            Exception: The first that the listener raised. It cannot pass through C, so it comes afterwards.
        """
        encoded = as_c_string(text, "the input")
        living = self._living()
        return self._listening(listener, lambda: self._functions.chatllm_user_input(living, encoded))

    def restart(self) -> None:
        """Reset the object's context and keep its model."""
        self._functions.chatllm_restart(self._living(), None)

    def abort(self) -> None:
        """Ask for the end of the generation under way. Lost when none has begun: ask again."""
        if self._object is not None:
            self._functions.chatllm_abort_generation(self._object)

    def cursor(self) -> int:
        """Return how many tokens the object has processed."""
        return int(self._functions.chatllm_get_cursor(self._living()))

    def destroy(self) -> None:
        """Destroy the object; without one nothing happens.

        On upstream builds this very call aborts the process, which only the parent can see.

        Raises:
            EngineUnavailableError: An old build without the function; the object lives on.
            EngineError: The library refused; the object lives on.
        """
        if self._object is None:
            return
        if self._destroy is None:
            raise EngineUnavailableError(
                NO_DESTROY,
                'build a newer chatllm.cpp, or say options.destroy = "abandon"; recycle needs no destroy',
            )
        going = self._object
        code = self._destroy(going)
        if code != 0:
            raise EngineError(f"chatllm_destroy returned {code}: the object is still at work")
        self._object = None

    def abandon(self) -> None:
        """Leave the object where it is, with all its memory, and take the next one: upstream's own binding does so.

        Nothing is called on it again, and what it might still say is not listened to.
        """
        self._object = None

    def _living(self) -> int:
        if self._object is None:
            raise EngineError("chatllm: no model is started")
        if self._busy:
            raise EngineError("chatllm: the model is at work")
        return self._object

    # ------------------------------------------------------------------ called back

    def _listening(self, listener: Listener, call: Callable[[], int]) -> int:
        self._listener, self._first_error = listener, None
        self._busy = True
        try:
            code = int(call())
        finally:
            self._listener, self._busy = None, False
        error, self._first_error = self._first_error, None
        if error is not None:
            raise error
        return code

    def _printed(self, token: int | None, kind: int, raw: bytes | None) -> None:
        """Called by C. What is raised here would be swallowed, so it is kept for :meth:`_listening`."""
        try:
            if self._listener is not None and token == self._token:
                self._listener(kind, (raw or b"").decode(errors="replace"))
        except BaseException as error:
            if self._first_error is None:
                self._first_error = error


def as_c_string(text: str, what: str) -> bytes:
    """Return ``text`` as C takes it; file names keep bytes that are no UTF-8.

    Raises:
        EngineError: It has a NUL, at which C would cut it off, or what is no character.
    """
    try:
        encoded = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise EngineError(f"chatllm: {what} has a character that UTF-8 does not know ({error})") from error
    if b"\0" in encoded:
        raise EngineError(f"chatllm: {what} has a NUL character in it")
    return encoded


def _ended(_: int | None) -> None:
    """Do nothing: this comes twice per input, and the return of the call says it for certain."""


def _preload_ggml(folder: str) -> tuple[list[str], list[str]]:
    """Load ggml's libraries for all to see, so that no LD_LIBRARY_PATH is needed.

    They need each other in an order that depends on the build: those that fail are tried again as long as any
    other has been loaded. Returns what was loaded and what the others said; whether those matter is shown by
    ``libchatllm`` itself.
    """
    waiting = _ggml_files(folder)
    loaded: list[str] = []
    said: dict[str, str] = {}
    progress = True
    while waiting and progress:
        progress = False
        for path in list(waiting):
            try:
                ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                said[path] = str(error)
                continue
            waiting.remove(path)
            loaded.append(path)
            progress = True
    return loaded, [said[path] for path in waiting]


def _ggml_files(folder: str) -> list[str]:
    """Return each ggml library once, whatever links and older versions lie there; the nearest place wins.

    ``libggml-cpu-ARCHITECTURE`` are left out: variants of which ggml itself opens the one that fits this processor.
    Loaded here for all to see, the first would stand in for the others.
    """
    found: dict[str, str] = {}
    for place in GGML_PLACES:
        pattern = os.path.join(glob.escape(os.path.join(folder, place)), f"libggml*.{SUFFIX}*")
        for path in sorted(
            glob.glob(pattern)
        ):  # libX.so comes before libX.so.0, and leads to the current one
            name = os.path.basename(path).partition(".")[0]
            if not name.startswith("libggml-cpu-"):
                found.setdefault(name, os.path.realpath(path))
    return list(found.values())
