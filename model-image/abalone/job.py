"""How a command runs: it logs to stdout, writes a failure's reason to SageMaker's file, and ends on SIGTERM."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from abalone.errors import JobError
from abalone.folders import Folders
from abalone.privileges import drop_privileges

# SageMaker keeps the first 1,024 characters of a reason.
LONGEST_REASON = 1024
STOPPED = 128 + signal.SIGTERM

logger = logging.getLogger("abalone")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    # As process 1 of a container, Python otherwise ignores SIGTERM, and would be killed while it writes a file.
    sys.exit(STOPPED)


def log_to_stdout() -> None:
    """Logs plain lines to stdout, which SageMaker collects; `LOG_LEVEL` is the lowest level."""
    level = os.environ.get("LOG_LEVEL", "INFO").upper()
    known = level if level in logging.getLevelNamesMapping() else "INFO"
    logging.basicConfig(stream=sys.stdout, level=known, format="%(levelname)s %(message)s")
    # Where botocore found its credentials does not belong in a job's log.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def write_reason(file: Path, reason: str) -> None:
    """Writes why a job failed, shortened to SageMaker's limit."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(reason[:LONGEST_REASON], encoding="utf-8")


def run(job: Callable[[Folders], None], reason_file: str) -> int:
    """Runs a job and returns the exit status: 0, or 1 with the reason in `<base>/output/<reason_file>`."""
    log_to_stdout()
    signal.signal(signal.SIGTERM, _stop)
    folders = Folders.from_environment()
    try:
        drop_privileges(folders.written)
        job(folders)
    except JobError as error:
        reason = str(error)
    except Exception as error:
        # A defect of this image or of a service: the log gets the traceback, the reason only its last line.
        traceback.print_exc(file=sys.stdout)
        reason = f"{type(error).__name__}: {error}"
    else:
        return 0
    logger.error(reason)
    try:
        write_reason(folders.output / reason_file, reason)
    except OSError as error:
        logger.error("The reason could not be written to %s: %s", folders.output / reason_file, error)
    return 1
