"""The archive in which SageMaker keeps a model: `model.tar.gz`."""

import os
import tarfile
import zlib
from pathlib import Path

from abalone.errors import JobError
from abalone.predictor import ARTEFACT

# Ten times the size of this image's models; a larger archive was made by something else, or is an attack.
LARGEST_ARTEFACT = 16 * 1024 * 1024
CHUNK = 1024 * 1024


def extract_artefact(archive: Path, folder: Path) -> Path:
    """Unpacks the artefact, and nothing else, into `folder` and returns its path.

    Raises:
        JobError: the archive is missing, damaged, or holds no regular file of that name and a sensible size.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if Path(member.name) != Path(ARTEFACT):
                    continue
                if not member.isfile() or member.size > LARGEST_ARTEFACT:
                    raise JobError(
                        f"{archive.name}: {ARTEFACT} is not a regular file of at most {LARGEST_ARTEFACT} bytes."
                    )
                # Read, not extracted: no path, link or mode from the archive reaches the disk. `extract` has its
                # `filter` against those only since Python 3.11.4, and Debian 12 has 3.11.2.
                content = tar.extractfile(member).read()
                # The checksum is at the end: without reading it, wrong bytes would be accepted as a model.
                while tar.fileobj.read(CHUNK):
                    pass
                artefact = folder / ARTEFACT
                artefact.write_bytes(content)
                # The time of its training, which the model card and the public figures report.
                os.utime(artefact, (member.mtime, member.mtime))
                return artefact
    except (OSError, EOFError, OverflowError, ValueError, tarfile.TarError, zlib.error) as error:
        raise JobError(f"{archive.name} cannot be unpacked: {error}.") from error
    raise JobError(f"{archive.name} has no {ARTEFACT}: it was not made by this image's `train`.")
