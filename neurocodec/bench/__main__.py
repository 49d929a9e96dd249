"""``python -m neurocodec.bench``."""

from neurocodec.bench.command import bench
from neurocodec.errors import NeurocodecError

if __name__ == "__main__":
    try:
        bench()
    except NeurocodecError as error:
        raise SystemExit(f"neurocodec: error: {error}") from None
