import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import IMAGE, command, environment

# Everything is imported while still root: the interpreter may lie where only root can read, the image's does not.
DROP = """
import json, os, sys
from pathlib import Path
from abalone.privileges import drop_privileges

base = Path(sys.argv[1])
drop_privileges([base / "model", base / "output"])

def attempt(action):
    try:
        action()
    except PermissionError:
        return "denied"
    return "done"

print(json.dumps({
    "ids": [os.getuid(), os.geteuid(), os.getgid(), *os.getgroups()],
    "write into the model folder": attempt(lambda: (base / "model" / "model.onnx").write_bytes(b"")),
    "write elsewhere": attempt(lambda: (base / "input.csv").write_bytes(b"")),
    "become root again": attempt(lambda: os.setuid(0)),
}))
"""


def drop(base: Path, **extra: str) -> dict[str, object]:
    # As SageMaker mounts it: everybody may look, only root may write.
    for folder in (base, *base.parents[:2]):
        folder.chmod(0o755)
    result = subprocess.run(
        [sys.executable, "-c", DROP, str(base)],
        env=environment(base, extra),
        cwd=IMAGE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_root_becomes_the_images_user_for_good_and_gives_it_the_folders_it_writes(tmp_path: Path):
    nobody = pwd.getpwnam("nobody")
    (tmp_path / "model").mkdir()

    assert drop(tmp_path, RUN_AS_USER="nobody") == {
        "ids": [nobody.pw_uid, nobody.pw_uid, nobody.pw_gid],
        "write into the model folder": "done",
        "write elsewhere": "denied",
        "become root again": "denied",
    }
    assert (tmp_path / "output").stat().st_uid == nobody.pw_uid


def test_outside_the_image_nothing_changes_hands(tmp_path: Path):
    (tmp_path / "model").mkdir()

    ids = drop(tmp_path)["ids"]

    assert isinstance(ids, list)
    assert ids[:3] == [os.getuid(), os.geteuid(), os.getgid()]
    assert not (tmp_path / "output").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
@pytest.mark.parametrize(("name", "file"), [("train", "failure"), ("process", "message")])
def test_a_user_that_the_image_lacks_is_named(tmp_path: Path, name: str, file: str):
    assert command(name, tmp_path, RUN_AS_USER="no-such-user").returncode == 1
    assert "RUN_AS_USER names the user 'no-such-user'" in (tmp_path / "output" / file).read_text()
