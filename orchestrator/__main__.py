"""``python -m orchestrator`` is the ``orchestrator`` script."""

from orchestrator.cli import main

if __name__ == "__main__":
    main()
