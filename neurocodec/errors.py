"""Exceptions the package raises on purpose, each with the exit code the command line gives it.

Texts for users: ``EXIT_CODES`` in ``commands/groups.py``.
"""

from __future__ import annotations


class NeurocodecError(Exception):
    """Base of every error that is reported as one line, without a traceback."""

    exit_code = 1


class InputError(NeurocodecError):
    """The input is missing, empty or not a media file."""

    exit_code = 3


class DamagedFileError(NeurocodecError):
    """An ``.nfc`` file is truncated, fails a checksum or holds impossible values."""

    exit_code = 4


class UnsupportedError(NeurocodecError):
    """The input is well formed but asks for something this installation cannot do."""

    exit_code = 5


class OutputError(NeurocodecError):
    """The output exists, or cannot be written."""

    exit_code = 6


class UsageError(NeurocodecError):
    """An option is out of range or does not go with another one."""

    exit_code = 2


class DecodedWithLosses(NeurocodecError):
    """The output was written, but parts of the input could not be decoded."""

    exit_code = 7
