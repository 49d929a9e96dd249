"""What an encode is to meet, a rate, a size or a distance, and what one came to."""

from __future__ import annotations

from dataclasses import dataclass

from neurocodec.encoding.coded_distance import Seen
from neurocodec.encoding.quality_search import TOLERANCE
from neurocodec.encoding.report import EncodeReport
from neurocodec.options import TARGETS, EncodeOptions

WORST = "worst_lpips"


@dataclass(frozen=True)
class Outcome:
    """What an encode came to, or will: playing ``seconds``, bytes of sound and of all the rest (``video``),
    and the mean ``distance`` from the original (0 where nobody looked).
    """

    seconds: float
    video: float
    sound: float
    distance: float = 0.0

    @staticmethod
    def of(report: EncodeReport, distance: float = 0.0) -> Outcome:
        """What a report says."""
        sound = report.bytes["audio"]
        return Outcome(report.duration, report.bytes["total"] - sound, sound, distance)


@dataclass(frozen=True)
class Goal:
    """``value`` is in kbit/s, bytes or distance, as the ``option`` of :class:`EncodeOptions` has it."""

    option: str
    value: float

    @staticmethod
    def of(options: EncodeOptions) -> Goal:
        """The target among options that have one; of two, the one on bits."""
        option = next(name for name in TARGETS if getattr(options, name) is not None)
        return Goal(option, float(getattr(options, option)))

    @property
    def is_distance(self) -> bool:
        """Whether it is a distance, which falls as the quality rises."""
        return self.option in ("target_lpips", WORST)

    @property
    def is_ceiling(self) -> bool:
        """Whether nothing over it will do."""
        return self.option in ("max_size", WORST)

    def distance(self, seen: Seen) -> float:
        """The distance that counts."""
        return seen.worst if self.option == WORST else seen.mean

    def figure(self, outcome: Outcome) -> float:
        """What counts of an outcome, in units of ``value``."""
        if self.is_distance:
            return outcome.distance
        total = outcome.video + outcome.sound
        return float(total) if self.option == "max_size" else total * (8 / 1000 / outcome.seconds)

    def is_met(self, figure: float) -> bool:
        """Whether a figure is near enough."""
        return abs(figure / self.value - 1) <= TOLERANCE and not (self.is_ceiling and figure > self.value)

    def words(self, figure: float) -> str:
        """A figure as a user reads it."""
        if self.option == WORST:
            return worst_words(figure)
        if self.is_distance:
            return f"mean distance {figure:.4f} (neurocodec's own estimate of LPIPS)"
        return f"{figure:.0f} bytes" if self.option == "max_size" else f"{figure:.2f} kbit/s"


def worst_words(distance: float) -> str:
    """The distance of the worst second as a user reads it."""
    return f"worst second at a distance of {distance:.4f} (neurocodec's own estimate of LPIPS)"
