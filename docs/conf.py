"""How the site is built from the pages in this folder: ``sphinx-build -W --keep-going -b html docs docs/_build``.

Nothing is fetched, neither while it is built nor while it is read: fonts are the system's, scripts and styles lie
beside the pages. Names that are not ours have no page to point to, so that only ours must be found.
"""

import sys
from pathlib import Path

from orchestrator_worker import __version__

sys.path.insert(0, str(Path(__file__).parent))  # made_pages

project = "orchestrator"
author = "the contributors"
project_copyright = "the contributors, MIT licence"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "made_pages"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
smartquotes = False  # two hyphens are a flag, not a dash

# ---------------------------------------------------------------- what is held

nitpicky = True
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(?!orchestrator|orchestrator_worker).*",
    ),  # the standard library and other packages have no pages here
    (r"py:.*", r".*\.T"),
    # internals that signatures of public names show
    (r"py:class", r"orchestrator\.pool\.stream\.(StreamFuture|ChunkBuffer)"),
    (r"py:class", r"orchestrator\.pipeline\.work\.RunningStream"),
]

# ---------------------------------------------------------------- Markdown

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4  # [text](page.md#heading), as on a forge

# ---------------------------------------------------------------- docstrings

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# ---------------------------------------------------------------- the page

html_theme = "furo"
html_title = f"orchestrator {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it would fetch each page found, which a browser refuses from a disk
