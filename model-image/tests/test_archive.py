import io
import random
import tarfile
from pathlib import Path

import pytest

from abalone import archive
from abalone.archive import extract_artefact
from abalone.errors import JobError


def packed(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    file = folder / "model.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_the_artefact_alone_is_unpacked(tmp_path: Path):
    file = packed(
        tmp_path,
        (tarfile.TarInfo("../outside"), b"1"),
        (tarfile.TarInfo("/etc/outside"), b"1"),
        (tarfile.TarInfo("./model.onnx"), b"model"),
        (tarfile.TarInfo("later"), b"1"),
    )
    folder = tmp_path / "folder"
    folder.mkdir()

    assert extract_artefact(file, folder).read_bytes() == b"model"
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: bytes):
    with pytest.raises(JobError, match=r"model\.onnx is not a regular file"):
        extract_artefact(packed(tmp_path, (link("model.onnx", "/etc/passwd", kind), b"")), tmp_path)


def test_a_file_that_claims_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "LARGEST_ARTEFACT", 3)

    with pytest.raises(JobError, match="at most 3 bytes"):
        extract_artefact(packed(tmp_path, (tarfile.TarInfo("model.onnx"), b"1234")), tmp_path)


@pytest.mark.parametrize("share", range(1, 20))
def test_an_archive_with_wrong_bytes_in_its_middle_is_refused(tmp_path: Path, share: int):
    content = bytes(byte % 16 for byte in random.Random(1).randbytes(100_000))
    file = packed(tmp_path, (tarfile.TarInfo("model.onnx"), content))
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) * share // 20] ^= 0xFF
    file.write_bytes(damaged)

    with pytest.raises(JobError, match="cannot be unpacked"):
        extract_artefact(file, tmp_path)


def test_half_an_archive_is_refused(tmp_path: Path):
    file = packed(tmp_path, (tarfile.TarInfo("model.onnx"), bytes(range(256)) * 64))
    file.write_bytes(file.read_bytes()[:-40])

    with pytest.raises(JobError, match="cannot be unpacked"):
        extract_artefact(file, tmp_path)
