"""Let the tests of this folder import the scripted series."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
