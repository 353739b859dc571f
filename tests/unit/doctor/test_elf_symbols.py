"""Symbols out of files: both widths, both byte orders, a real library, and files cut off anywhere."""

from pathlib import Path

import msgspec._core as compiled
import pytest
from elf_builder import shared_library

from orchestrator.doctor.elf_symbols import NotAnElfFileError, exported_functions, processor

NAMES = ["chatllm_create", "chatllm_destroy"]


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_defined_names_are_told_from_wanted_ones(wide: bool, big: bool, tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(shared_library(NAMES, ["malloc"], wide=wide, big=big))
    assert exported_functions(path) == set(NAMES)


@pytest.mark.parametrize(
    ("wide", "big", "machine", "name"),
    [
        (True, False, 62, "x86-64"),
        (True, False, 183, "aarch64"),
        (False, False, 40, "arm"),
        (False, False, 62, "x86-64, 32 bits"),
        (True, True, 22, "processor 22"),
    ],
)
def test_the_processor_is_named(wide: bool, big: bool, machine: int, name: str, tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(shared_library(NAMES, wide=wide, big=big, machine=machine))
    assert processor(path) == name
    path.write_text("#!/bin/sh\nexit 0\n")
    assert processor(path) is None


def test_a_real_library() -> None:
    assert "PyInit__core" in exported_functions(Path(compiled.__file__))


@pytest.mark.parametrize("wide", [True, False])
def test_a_file_cut_off_anywhere_is_an_error_and_no_crash(wide: bool, tmp_path: Path) -> None:
    whole = shared_library(NAMES, ["malloc"], wide=wide)
    path = tmp_path / "lib.so"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(NotAnElfFileError):
            exported_functions(path)


def test_a_table_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    whole = bytearray(shared_library(NAMES))
    start = int.from_bytes(whole[40:48], "little") + 64 + 32  # size of the symbols' section
    whole[start : start + 8] = (1 << 40).to_bytes(8, "little")
    (tmp_path / "lib.so").write_bytes(whole)
    with pytest.raises(NotAnElfFileError, match="cut off or damaged"):
        exported_functions(tmp_path / "lib.so")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no ELF shared library"),
        (b"#!/bin/sh\nexit 0\n# padding", "no ELF shared library"),
        (b"\x7fELF" + bytes([9, 1]) + bytes(100), "of a kind known here"),
        (b"\x7fELF" + bytes([2, 1]) + bytes(100), "no dynamic symbols"),
    ],
)
def test_other_files_are_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(content)
    with pytest.raises(NotAnElfFileError, match=words):
        exported_functions(tmp_path / "lib.so")
