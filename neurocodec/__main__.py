"""``python -m neurocodec``."""

from neurocodec.cli import main

if __name__ == "__main__":
    main()
