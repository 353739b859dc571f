"""Text in the parent: comparing, converting and laying out what engines found. No engine, no process."""
