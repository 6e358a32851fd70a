"""Explanations give way: their threads get what is left of the cores, so that neither the loop nor predictions wait."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

__all__ = ["give_way"]

NICE = 10  # the share of a core beside a thread of nice 0 is about a tenth


def give_way() -> None:
    """Of this thread, and of those that it starts. Linux has a niceness for each thread; elsewhere this does nothing.
    A process that was started with less keeps that.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))
