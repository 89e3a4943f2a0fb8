"""The host's log and secrets: the real ones within a component, substitutes elsewhere."""

from __future__ import annotations

import sys
from typing import Protocol


class Host(Protocol):
    """The contract's imports."""

    def write(self, level: str, message: str) -> None:
        """Writes a line to the log."""

    def placeholder(self, name: str) -> str:
        """Returns the placeholder of a secret; raises `LookupError` with the reason if there is none."""


class Terminal:
    """No host: for functions that are called directly."""

    def write(self, level: str, message: str) -> None:
        print(f"{level}: {message}", file=sys.stderr)

    def placeholder(self, name: str) -> str:
        raise LookupError(f"no host to provide the secret `{name}`: use hookmill_plugin.testing.run")


current: Host = Terminal()
