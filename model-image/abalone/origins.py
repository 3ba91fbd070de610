"""The origin of rows, by their identifiers, and the licence of their use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """A source of rows, and what its users must know."""

    prefix: str
    description: str
    licence: str


# UCI's loader and the simulator give these prefixes to their identifiers; surveys of the owner have others.
ORIGINS = {
    "uci": Origin(
        "uci-",
        "Abalone, UCI Machine Learning Repository, W. J. Nash, T. L. Sellers, S. R. Talbot, A. J. Cawthorn and "
        "W. B. Ford (1994), https://doi.org/10.24432/C55C7W; changed: measures in mm and g, impossible ones left out",
        "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
    ),
    "simulated": Origin("sim-", "Simulated animals, which nobody has measured", "Apache License 2.0, as the simulator"),
    "own": Origin("", "Surveys of the platform's owner", "the owner's: no licence to others is implied"),
}


def origin_of(record_id: str) -> str:
    """The name of the origin whose prefix the identifier has; the last origin has no prefix and takes all others."""
    return next(name for name, origin in ORIGINS.items() if record_id.startswith(origin.prefix))
