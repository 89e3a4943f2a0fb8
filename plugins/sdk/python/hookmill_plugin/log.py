"""The attempt's log, which the subscription's owner reads: 16 KiB per call. `print` writes to it, too."""

from . import _host


def debug(message: object) -> None:
    """Logs a detail that is of interest only to the plugin's author."""
    _host.current.write("debug", str(message))


def info(message: object) -> None:
    """Logs what the plugin did."""
    _host.current.write("info", str(message))


def warn(message: object) -> None:
    """Logs something unexpected but harmless."""
    _host.current.write("warn", str(message))


def error(message: object) -> None:
    """Logs an error."""
    _host.current.write("error", str(message))
