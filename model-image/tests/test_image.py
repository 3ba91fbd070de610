import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.commands import IMAGE

REPOSITORY = IMAGE.parent
DOCKERFILE = (IMAGE / "Dockerfile").read_text()
COMMANDS = ("process", "train", "evaluate", "serve", "monitor")


def copied() -> list[str]:
    return [source for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]


def allowed(path: str) -> bool:
    patterns = [line[1:] for line in (IMAGE / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    return any(fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/") for pattern in patterns)


def test_hadolint_finds_nothing():
    result = subprocess.run(
        [str(Path(sys.executable).parent / "hadolint"), "--failure-threshold", "style", str(IMAGE / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (0, "")


def test_the_base_is_pinned_by_version_and_digest():
    [base] = re.findall(r"^ARG BASE=(\S+)\nFROM \$\{BASE\}$", DOCKERFILE, re.MULTILINE)

    assert len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)


def test_the_build_takes_everything_it_copies_and_nothing_else():
    for source in copied():
        path = REPOSITORY / source
        files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
        assert files
        for file in files:
            assert allowed(file.relative_to(REPOSITORY).as_posix()), file
    for path in ("package.json", "model-image/tests/conftest.py", "model-image/requirements-dev.txt", ".git/config"):
        assert not allowed(path)


def test_nothing_is_installed_without_its_hash():
    assert "--require-hashes" in DOCKERFILE
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (IMAGE / name).read_text().replace("\\\n", " ")
        requirements = [line for line in text.splitlines() if line.strip()]
        assert requirements
        for requirement in requirements:
            assert re.match(r"\S+==\S+.*--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_tests_run_with_the_versions_that_are_served():
    def pins(name: str) -> set[str]:
        lines = (IMAGE / name).read_text().splitlines()
        return {line.rstrip(" \\") for line in lines if "==" in line and not line.startswith(" ")}

    assert pins("requirements.txt") < pins("requirements-dev.txt")


def test_every_command_is_executable_and_names_its_interpreter():
    assert sorted(file.name for file in (IMAGE / "bin").iterdir() if file.is_file()) == sorted(COMMANDS)
    for name in COMMANDS:
        file = IMAGE / "bin" / name
        assert os.access(file, os.X_OK)
        assert file.read_text().startswith("#!/usr/bin/env python3\n")
    assert 'PATH="/opt/program/model-image/bin:' in DOCKERFILE
    assert 'CMD ["monitor"]' in DOCKERFILE
