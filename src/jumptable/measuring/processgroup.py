"""A process in a group of its own, so that what it starts can be ended with it.

Ctrl-C in the terminal does not reach such a group: who started the process ends it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

__all__ = ["end_group", "ends", "own_group"]

LONGEST_PAUSE = 0.005


def own_group() -> dict[str, Any]:
    """Options of Popen."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def ends(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Wait, and leave it unreaped where that can be: then its number is nobody else's yet."""
    pause = 0.001
    while True:
        if process.returncode is not None:
            return True
        if hasattr(os, "waitid"):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if os.waitid(os.P_PID, process.pid, flags) is not None:
                return True
        elif process.poll() is not None:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End it, and those of its group that are left; once it was waited for, nothing."""
    if process.returncode is None:
        if os.name == "posix":
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # macOS refuses a group of which only the unreaped process is left
        elif process.poll() is None:
            process.kill()
    process.wait()
