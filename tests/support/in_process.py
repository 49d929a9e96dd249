"""The command line within the process of the tests."""

from __future__ import annotations

import pytest

from neurocodec.commands.main import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*arguments])
    code = stop.value.code
    assert isinstance(code, int)
    return code
