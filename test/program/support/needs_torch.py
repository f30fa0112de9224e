# SPDX-License-Identifier: GPL-2.0-only
"""PyTorch, on one thread, from whichever Python has it; a test that finds none is skipped."""

import os
import sys

try:
    import torch
except ImportError:
    if sys.executable != "/usr/bin/python3" and os.access("/usr/bin/python3", os.X_OK):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])  # the distribution's
    print("skipped: there is no PyTorch for Python (package python3-torch)")
    sys.exit(77)

torch.set_num_threads(1)
