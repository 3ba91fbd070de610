"""Command lines whose mistakes SageMaker shows."""

import argparse
from typing import NoReturn

from abalone.errors import JobError


class CommandLine(argparse.ArgumentParser):
    """A parser that raises instead of ending the process with a message that only the log shows."""

    def error(self, message: str) -> NoReturn:
        """Raises a JobError with the problem and the usage."""
        raise JobError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")
