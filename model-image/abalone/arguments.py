"""Command lines whose mistakes end up where SageMaker shows them."""

import argparse
from typing import NoReturn

from abalone.errors import JobError


class CommandLine(argparse.ArgumentParser):
    """A parser that raises instead of leaving the process with a message that only the log has."""

    def error(self, message: str) -> NoReturn:
        """Raises a JobError with the problem and the usage."""
        raise JobError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")
