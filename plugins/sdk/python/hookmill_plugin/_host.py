"""What a plugin can reach: the host's log and secrets within a component, stand-ins elsewhere."""

from __future__ import annotations

import sys
from typing import Protocol


class Host(Protocol):
    """The contract's imports."""

    def write(self, level: str, message: str) -> None:
        """Keeps a line of the log."""

    def placeholder(self, name: str) -> str:
        """The placeholder of a secret; raises `LookupError` with the reason if there is none."""


class Terminal:
    """No host: a plugin's functions called by hand."""

    def write(self, level: str, message: str) -> None:
        print(f"{level}: {message}", file=sys.stderr)

    def placeholder(self, name: str) -> str:
        raise LookupError(f"no host is here to give the secret `{name}`: use hookmill_plugin.testing.run")


current: Host = Terminal()
