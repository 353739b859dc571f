"""One command per file: flags in, exit code out. Each is imported when it runs, so that `--help` is quick.

In reading order:

- ``transcribe_command``: ``orchestrator transcribe``: recordings in, text or subtitles out
- ``analyze_command``: ``orchestrator analyze``: a verdict on any memory series in a file
- ``batch_command``: ``orchestrator batch``
- ``calibrate_command``: ``orchestrator calibrate``: which known leaks are found on this machine
- ``compare_command``: ``orchestrator compare``
- ``doctor_command``: ``orchestrator doctor``: what is there, what is missing, and what mends it
- ``engines_command``: ``orchestrator engines``
- ``export_command``: ``orchestrator export``: what a run has recorded, as one file for other programs
- ``init_command``: ``orchestrator init``: a folder to start from, for people who installed a wheel
- ``locate_command``: ``orchestrator locate``: the call stacks that leak
- ``plan_command``: ``orchestrator plan``
- ``report_command``: ``orchestrator report``
- ``run_command``: ``orchestrator run``: the experiments of a file, from first check to last table
- ``schema_command``: ``orchestrator schema``: the JSON Schema of experiments.toml, for editors
- ``serve_command``: ``orchestrator serve``: a speech service over HTTP
- ``top_command``: ``orchestrator top``: a live view of a pool or batch that is running
- ``version_command``: ``orchestrator version``: what a bug report needs to name
- ``watch_command``: ``orchestrator watch``
- ``align_command``: ``orchestrator align``: print when each word of a text is spoken in a recording
- ``subtitles_command``: ``orchestrator subtitles``: documents in JSON, rendered again
"""
