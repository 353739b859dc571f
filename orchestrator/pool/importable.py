"""How another process finds a callable: ``package.module:name``, and the arguments that are bound to it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, cast

_PLAIN = (str, bytes, int, float, bool)
"""Types of values that cannot change: a method bound to one is the type's function with the value first."""
_CURE = "define a function at the top level of a module that workers can import"


def importable_name(fn: Callable[..., Any]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return ``package.module:name`` of a callable, and the positional and named arguments bound to it.

    Functions, classes, class and static methods, methods of built-in types (``str.upper``, ``dict.fromkeys``,
    ``"text".upper``) and ``functools.partial`` of all of them.

    Raises:
        ValueError: It cannot be found by its name in another process.
    """
    if isinstance(fn, functools.partial):
        target, first, named = importable_name(fn.func)
        return target, (*first, *fn.args), {**named, **fn.keywords}
    module, name, first = _place_of(fn)
    whom = f"{module}.{name}" if name else repr(fn)
    if "<lambda>" in name:
        raise ValueError(f"{whom}: a lambda has no name in another process; {_CURE}")
    if "<locals>" in name:
        raise ValueError(f"{whom}: a function inside a function cannot be imported; {_CURE}")
    if module == "__main__":
        raise ValueError(
            f"{whom}: in a worker __main__ is the worker; move the function into a module and import it"
        )
    found = _found(module, name)
    if not module or not name or not (found is fn or (first and callable(found)) or _same_method(found, fn)):
        raise ValueError(f"{whom}: importing that name does not give this object (a bound method?); {_CURE}")
    return f"{module}:{name}", first, {}


def _place_of(fn: Callable[..., Any]) -> tuple[str, str, tuple[Any, ...]]:
    """Return module, qualified name and what is bound: for methods those of the class that they are looked up in."""
    name: str = getattr(fn, "__qualname__", None) or ""
    owner: Any = getattr(fn, "__self__", None)
    if isinstance(owner, type):  # a class method, also an inherited one
        return owner.__module__, f"{owner.__qualname__}.{getattr(fn, '__name__', '')}", ()
    if type(owner) in _PLAIN:
        kind = cast("Any", type(owner))
        return kind.__module__, f"{kind.__qualname__}.{getattr(fn, '__name__', '')}", (owner,)
    described: Any = getattr(fn, "__objclass__", None)  # a method of a built-in type has no module of its own
    if isinstance(described, type):
        return described.__module__, f"{described.__qualname__}.{getattr(fn, '__name__', '')}", ()
    return getattr(fn, "__module__", None) or "", name, ()


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _same_method(found: Any, fn: Any) -> bool:
    """A bound method is made anew each time it is looked up."""
    owner = getattr(fn, "__self__", None)
    return isinstance(owner, type) and getattr(found, "__self__", None) is owner and found == fn
