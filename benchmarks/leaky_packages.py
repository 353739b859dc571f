"""One call of each package that leaks in one release and no more in the next; ``locate_packages.py`` calls them."""

# ruff: noqa: PLC0415 - each package is imported by the function that needs it: only one of them is installed at a time


def hiredis() -> None:
    """RESP3 maps: keys and values are never released (3.1.0; fixed by 3.2.1)."""
    import hiredis as package

    reader = package.Reader()
    reader.feed(b"%1\r\n$40\r\n" + b"k" * 40 + b"\r\n$40\r\n" + b"v" * 40 + b"\r\n")
    reader.gets()


def multidict() -> None:
    """New istr objects, and what an update is given, are never released (6.3.2; fixed by 6.4.0)."""
    import multidict as package

    headers = package.CIMultiDict({"Some-Header-Name": "one"})
    headers.update({f"Other-Header-{len(headers)}": "two"})
    list(headers.keys())
    package.istr("Third-Header-Name")


def orjson() -> None:
    """An array of a dtype that cannot be serialized keeps what was made to find that out (3.9.5; fixed by 3.9.6)."""
    import numpy as np
    import orjson as package

    try:
        package.dumps(np.array([1 + 2j]), option=package.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return


class _FullFile:
    def write(self, _text: str) -> None:
        raise OSError("no space left")


def ujson() -> None:
    """A dump into a file that cannot be written keeps the whole document (5.12.0; fixed by 5.12.1)."""
    import ujson as package

    try:
        package.dump({"key": "x" * 1000}, _FullFile())
    except OSError:
        return


def pydantic() -> None:
    """A validator of a schema that refers to itself is never released (2.5.2; fixed by 2.5.3)."""
    from pydantic_core import SchemaValidator, core_schema

    branch = core_schema.typed_dict_schema(
        {
            "branch": core_schema.typed_dict_field(
                core_schema.nullable_schema(core_schema.definition_reference_schema("Branch"))
            )
        },
        ref="Branch",
    )
    SchemaValidator(
        core_schema.definitions_schema(core_schema.definition_reference_schema("Branch"), [branch])
    )
