"""Changes from root, as which SageMaker starts every container, to a user who may only do the job.

SageMaker "expects all containers to run with root users" (Developer Guide, *Custom Inference Code with Hosting
Services*): the folders that it mounts under /opt/ml belong to root. So the container starts as root, hands the folders
that a job writes to its own user, and becomes that user for good before it reads a single byte of input.
"""

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from abalone.errors import JobError

VARIABLE = "RUN_AS_USER"


def drop_privileges(written: Iterable[Path]) -> None:
    """Becomes the user named by `RUN_AS_USER` (set only in the image), who becomes the owner of the folders `written`.

    Does nothing when the variable is not set or when the process is not root, as under `docker run --user`.

    Raises:
        JobError: there is no such user.
    """
    name = os.environ.get(VARIABLE)
    if not name or os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise JobError(f"{VARIABLE} names the user {name!r}, which this image does not have.") from error
    for folder in written:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir
