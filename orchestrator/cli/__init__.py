"""The command line: one command per file, the only place that prints and that knows exit codes.

In reading order:

- ``command_table``: the commands by name
- ``examples``: example lines at the end of each command's ``--help``
- ``exit_codes``: what the exit codes mean, and which error leads to which
- ``streams``: the standard streams of a command
- ``pipeline_flags``: the flags that ``transcribe``, ``align``, ``subtitles`` and ``batch`` share
- ``pipeline_setup``: what ``transcribe``, ``align`` and ``batch`` share
- ``outlet``: where the documents of a command go, in which formats
- ``looked_into``: how ``top`` sees a command that works on recordings
- ``transcription``: one recording after the other, kept, told and shown while it grows
- ``run_options``: the flags of ``orchestrator run``: what each takes, and what ``--help`` says of it
- ``output_flags``: whether a file that a flag names may be written
- ``closing``: the last screen of ``run``: collects what the run knows, and has the display write it
- ``located_after``: what ``run --locate`` does about leaks
- ``ci``: what ``run`` leaves for a CI system beside its exit code
- ``gated``: what a gate makes of a finished run: words on stderr, a JUnit file, an exit code
- ``app``: the typer application: its root, and which error leads to which exit code
- ``interrupts``: what ends a command from outside
"""

from __future__ import annotations


def main() -> None:
    """Entry of the ``orchestrator`` script. Ends the process with an exit code of interfaces.md."""
    from orchestrator.cli.app import run_app

    run_app()
