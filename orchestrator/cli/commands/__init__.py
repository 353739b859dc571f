"""One command per file: flags in, exit code out. Each is imported when it runs, so that `--help` is quick."""
