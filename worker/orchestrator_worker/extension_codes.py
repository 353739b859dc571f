"""The numbers of the msgpack extension types that stand for values; ``docs/protocol.md`` has the same table."""


class Code:
    """The numbers of the extension types, and what the bytes of each are: msgpack, where nothing else is said."""

    DATETIME = 1
    """[ISO 8601 text, fold, name of the zone or None]"""
    DATE = 2
    """ISO 8601 text"""
    TIME = 3
    """[ISO 8601 text, fold]"""
    TIMEDELTA = 4
    """[days, seconds, microseconds]"""
    DECIMAL = 5
    """text"""
    UUID = 6
    """the 16 bytes"""
    PATH = 7
    """[name of the class, or Path; text]"""
    ENUM = 8
    """[module, qualified name, name of the member]"""
    SET = 9
    """list of the elements; a list in it is a tuple"""
    FROZENSET = 10
    """list of the elements; a list in it is a tuple"""
    INT = 11
    """hexadecimal text"""
    ARRAY = 12
    """[NumPy's type, shape, the bytes in C order]"""
    NUMPY_SCALAR = 13
    """[NumPy's type, the bytes]"""
    COMPLEX = 14
    """[real, imaginary]"""
    DICT = 15
    """list of [key, value], where keys are neither text, bytes, numbers nor None; a list that is a key is a tuple"""
