"""How fast it is: ``python -m neurocodec.bench`` (``make bench``); see ``docs/performance.md``."""
