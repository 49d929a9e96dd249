"""Is it really better?  Our codec against others on a user's own videos, every byte counted.

:func:`neurocodec.compare.run.compare` is the way in; ``docs/compare.md`` says what is measured and how.
"""
