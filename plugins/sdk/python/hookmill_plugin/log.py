"""The plugin's log, where the subscription's owner reads it: 16 KiB a call. What is printed stands there too."""

from . import _host


def debug(message: object) -> None:
    """What only the plugin's author wants to know."""
    _host.current.write("debug", str(message))


def info(message: object) -> None:
    """What the plugin did."""
    _host.current.write("info", str(message))


def warn(message: object) -> None:
    """What is odd, and did no harm."""
    _host.current.write("warn", str(message))


def error(message: object) -> None:
    """What went wrong."""
    _host.current.write("error", str(message))
