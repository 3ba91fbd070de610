"""Errors that a person can correct: SageMaker shows their text as the reason."""


class JobError(Exception):
    """A job can't continue. The message names what was found, what was expected and what to do next."""


class RowError(ValueError):
    """A row breaks the feature contract."""

    def __init__(self, column: str, problem: str) -> None:
        """Names the `column` and what is wrong with its value."""
        super().__init__(f"column {column}: {problem}")
        self.column = column
        self.problem = problem


def quote(value: object) -> str:
    """A value for an error message: short, and in one line."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:36]}…{text[-1]}"
