"""A frame of a call stack; which frames say something, and which are the runtime's.

A leak of a speech engine has thirty frames: the allocator, the C++ library, the engine, ``ctypes``, the interpreter,
our own worker. Of these the engine's own say where it is, and the line of Python that called it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

import msgspec

MOST_NATIVE = 4
"""Frames of native code by which a site is told from others; what called them is a matter of the job."""
MOST_PYTHON = 2
UNKNOWN = "<unknown>"
PACKAGES = re.compile(r"(?:site|dist)-packages/(.+)$")
"""Where an installed package's files lie; the first group is the path inside."""

_RUNTIME_MODULES = re.compile(
    r"^(lib(c|m|dl|rt|pthread|stdc\+\+|c\+\+|c\+\+abi|gcc_s|ffi|python\d[\w.]*|jemalloc|mimalloc|heaptrack_\w+)[-.\d]*\.(so|dylib)"
    r"|ld-linux|ld-musl|python\d?(\.\d+)?$|_ctypes\.|libsystem_)"
)
_RUNTIME_FUNCTIONS = re.compile(
    r"^(malloc|calloc|realloc|free|reallocarray|posix_memalign|aligned_alloc|memalign|valloc|strdup|strndup|__strdup"
    r"|operator new|operator delete|_?Py[A-Z_]|_?py_|_?PyEval|ffi_|_?ctypes|_call_function_pointer|_start$|__libc_"
    r"|start_thread|clone3?$|__clone|std::|__gnu_cxx::|void std::|__cxa_|_dl_|dlopen|_IO_|__GI_|pymain_|run_mod"
    r"|run_eval_code|pyrun_|cfunction_|method_vectorcall|vectorcall|object_vacall|type_call|slot_tp_|builtin_"
    r"|call_function|do_call_core|trace_call_function|cpp11::)"
)
_TYPE_MAKERS = {
    "PyList_New": "list",
    "list_resize": "list",
    "list_append": "list",
    "new_dict": "dict",
    "PyDict_New": "dict",
    "dict_new": "dict",
    "dictresize": "dict",
    "new_keys_object": "dict",
    "PyUnicode_New": "str",
    "PyUnicode_FromStringAndSize": "str",
    "unicode_concatenate": "str",
    "PyBytes_FromStringAndSize": "bytes",
    "_PyBytes_FromSize": "bytes",
    "PyByteArray_FromStringAndSize": "bytearray",
    "PyByteArray_Resize": "bytearray",
    "bytearray___init__": "bytearray",
    "PyFloat_FromDouble": "float",
    "_PyLong_New": "int",
    "PyLong_FromLong": "int",
    "PyTuple_New": "tuple",
    "tuple_alloc": "tuple",
    "make_new_set": "set",
    "set_table_resize": "set",
    "set_add_entry": "set",
    "PyFunction_New": "function",
    "PyCell_New": "cell",
    "PyCMethod_New": "builtin_function_or_method",
    "PyMethod_New": "method",
    "PyMemoryView_FromObject": "memoryview",
    "PySlice_New": "slice",
    "PyType_GenericAlloc": "an instance of a class",
    "_PyType_AllocNoTrack": "an instance of a class",
}
"""Functions of CPython that make objects, by name; the innermost one that is known tells the type."""


_ALLOCATORS = frozenset(
    ["malloc", "_PyMem_RawMalloc", "PyObject_Malloc", "PyMem_RawMalloc", "_PyObject_Malloc", "<unknown>"]
)
_STRING_MAKERS = frozenset(
    [
        "PyUnicode_New",
        "PyUnicode_FromString",
        "PyUnicode_FromStringAndSize",
        "PyUnicode_DecodeUTF8",
        "PyUnicode_DecodeUTF8Stateful",
        "unicode_decode_utf8",
    ]
)
_NAME_LOOKUPS = frozenset(
    [
        "PyObject_GetAttrString",
        "PyObject_SetAttrString",
        "PyObject_HasAttrString",
        "PyObject_CallMethod",
        "_PyObject_CallMethod_SizeT",
    ]
)


def public_path(file: str) -> str:
    """Return a file's path inside its package; of any other file its name alone."""
    inside = PACKAGES.search(file)
    return inside[1] if inside else PurePath(file).name


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame. ``module`` is the file's name without its folder, ``offset`` the place in it as in ``addr2line``.

    ``file`` and ``line`` are of the source, where that is known: of Python code always, of native code with debug
    information. ``build_id`` is that of the module's file.
    """

    function: str
    file: str = ""
    line: int = 0
    python: bool = False
    module: str = ""
    offset: int | None = None
    build_id: str = ""

    @property
    def named(self) -> bool:
        """Whether it has a function's name."""
        return bool(self.function) and self.function != UNKNOWN

    @property
    def is_of_a_runtime(self) -> bool:
        """Whether its module is the C library, the interpreter, an allocator or the like."""
        return bool(self.module) and bool(_RUNTIME_MODULES.search(self.module))

    @property
    def says_something(self) -> bool:
        """Whether it is a frame of the engine or of its caller, and not of a runtime; our own worker is one too."""
        if self.python:
            return not _is_ours(self.file)
        if self.is_of_a_runtime:
            return False
        return self.named and _RUNTIME_FUNCTIONS.match(self.function) is None

    @property
    def place(self) -> str:
        """The function's name; of one without, the module and the offset in it."""
        if self.named:
            return self.function
        return UNKNOWN if not self.module or self.offset is None else f"{self.module}+{self.offset:#x}"


def telling(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames of a stack, innermost first, that tell its site from others: the cut stack.

    The native frames above the first line of Python; with no function known there, their places; and the lines of
    Python that led to them. What only passes calls on is left out.
    """
    native = _before_python(frames)
    own = [frame for frame in native if frame.says_something]
    if not own:
        own = [frame for frame in native if frame.offset is not None and not frame.is_of_a_runtime]
    python = [frame for frame in frames if frame.python and frame.says_something]
    return [*own[:MOST_NATIVE], *python[:MOST_PYTHON]]


def is_the_workers(frames: Iterable[Frame]) -> bool:
    """Whether a stack that tells nothing is our own worker's, and not of a thread whose functions are unknown."""
    return any(frame.python and _is_ours(frame.file) for frame in frames)


def is_an_attribute_name(frames: Iterable[Frame]) -> bool:
    """Whether the innermost frames make a string only to look an attribute up by it.

    CPython's cache of attribute lookups keeps such a string until another takes its place, at most 4,096 of them: a
    pool of the interpreter.
    """
    for frame in frames:
        if frame.function in _NAME_LOOKUPS:
            return True
        if frame.function not in _STRING_MAKERS and frame.function not in _ALLOCATORS:
            return False
    return False


def python_type(frames: Iterable[Frame]) -> str:
    """Return what kind of Python object the innermost frames make; empty where they make none that is known."""
    for frame in frames:
        if frame.python:
            return ""
        if (made := _TYPE_MAKERS.get(frame.function)) is not None:
            return made
    return ""


def _before_python(frames: Sequence[Frame]) -> Sequence[Frame]:
    first = next((index for index, frame in enumerate(frames) if frame.python), len(frames))
    return frames[:first]


def _is_ours(file: str) -> bool:
    return "orchestrator_worker/" in file or file.startswith("<frozen")
