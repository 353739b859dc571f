"""Memory sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("size", "size_bytes"),
    [
        (1, 1),
        ("1", 1),
        ("512 B", 512),
        ("1.5GiB", 1_610_612_736),
        (" 1.5 gb ", 1_610_612_736),
        ("800MB", 800 * 1024**2),
        ("800mib", 800 * 1024**2),
        ("2KiB", 2048),
        ("2kB", 2048),
    ],
)
def test_sizes(size: int | str, size_bytes: int) -> None:
    assert parse_size(size) == size_bytes


@pytest.mark.parametrize(
    "size", ["", "GiB", "1TB", "-1", "1,5GiB", "1e3", "1 G", "0x10", 0, -5, "0", "0.2B", True, 1.5, None]
)
def test_what_is_no_size(size: object) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (800 * 1024**2, "800 MiB"), (1_610_612_736, "1.5 GiB")],
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=2**50))
def test_what_is_shown_can_be_read_again(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == pytest.approx(size_bytes, rel=0.006)
