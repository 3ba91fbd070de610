"""Checks that the emulator still has the private names that the patches change."""

import inspect
from types import ModuleType
from typing import Any

PINNED_VERSION = "1.5.33"


class IncompatibleEmulatorError(Exception):
    """The installed ministack is not the one that the patches were written for."""


def require(owner: ModuleType | type, name: str, parameters: tuple[str, ...] | None = None) -> Any:  # noqa: ANN401
    """Returns the private `name` of `owner`, so that a changed emulator stops at start and not in the middle of a run.

    Args:
        owner: the module or class.
        name: the attribute that a patch changes or calls.
        parameters: names of the callable's parameters, where the patch replaces or wraps it.

    Raises:
        IncompatibleEmulatorError: the name is missing or takes other parameters.
    """
    place = f"{owner.__name__}.{name}"
    if not hasattr(owner, name):
        raise IncompatibleEmulatorError(
            f"ministack {installed_version()} differs from {PINNED_VERSION}: {place} is missing. "
            "Install local/emulator/requirements.txt again, or adapt the patch that changes it."
        )
    found = getattr(owner, name)
    if parameters is not None:
        actual = tuple(inspect.signature(found).parameters)
        if actual != parameters:
            raise IncompatibleEmulatorError(
                f"ministack {installed_version()} differs from {PINNED_VERSION}: {place} takes {actual}, "
                f"expected {parameters}. Install local/emulator/requirements.txt again, or adapt the patch."
            )
    return found


def installed_version() -> str:
    """The version of the installed ministack distribution."""
    from importlib.metadata import version

    return version("ministack")


def require_version() -> None:
    """Stops unless exactly the pinned version is installed: every patch changes private names of that one.

    Raises:
        IncompatibleEmulatorError: another version is installed.
    """
    if installed_version() != PINNED_VERSION:
        raise IncompatibleEmulatorError(
            f"ministack {installed_version()} differs from {PINNED_VERSION}, for which the patches were written. "
            "Install local/emulator/requirements.txt again."
        )
