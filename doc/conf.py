# SPDX-License-Identifier: GPL-2.0-only
#
# Sphinx's settings; ./collapipe doc runs it.

import pathlib
import re

project = "CollaPipe"
author = "The CollaPipe developers"
copyright = "the CollaPipe developers; GPL-2.0-only"
release = re.search(r"set\(COLLAPIPE_VERSION ([^)]+)\)",
                    (pathlib.Path(__file__).parent.parent / "CMakeLists.txt").read_text()).group(1)
version = release
extensions = ["sphinx.ext.mathjax"]
source_suffix = ".rst"
master_doc = "index"
exclude_patterns = ["figures"]
html_theme = "alabaster"
html_theme_options = {
    "description": f"Collaborative pipeline training at the edge, for ns-3; version {release}",
    "page_width": "1080px",
    "sidebar_width": "230px",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_show_sourcelink = False
html_copy_source = False
highlight_language = "none"

# Debian's MathJax, so that formulas show without a network; elsewhere Sphinx's default.
_mathjax = pathlib.Path("/usr/share/javascript/mathjax/MathJax.js")
if _mathjax.exists():
    mathjax_path = _mathjax.as_uri() + "?config=TeX-AMS_HTML"
