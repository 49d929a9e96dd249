"""When to send a new reference: the original codec's refresh schedule."""

from __future__ import annotations

PERFECT = 1.0


class RefreshSchedule:
    """Decides frame by frame between a landmark packet and a refresh.

    The verdict is that of the feedback network on the last rendering, 0 = distorted to 1 = perfect; it starts
    at 0 and is 1 after a refresh.  Frame i is a refresh when i is a multiple of ``gap`` and the verdict
    is at most ``alpha``; so frame 0 always is one, and what counts at frame i is the verdict on frame
    i - 1.

    Args:
        gap: frames between decisions, at least 1.
        alpha: threshold in [0,1].
    """

    def __init__(self, gap: int, alpha: float) -> None:
        if gap < 1:
            raise ValueError("gap must be at least 1")
        if not 0 <= alpha <= 1:
            raise ValueError("alpha must lie in [0,1]")
        self.gap, self.alpha = gap, alpha
        self.verdict = 0.0

    def is_refresh(self, frame: int) -> bool:
        """Whether ``frame`` sends a new reference."""
        return self.verdict <= self.alpha and frame % self.gap == 0

    def wants_verdict(self, frame: int) -> bool:
        """Whether the verdict on this landmark frame can decide anything (the next is a decision)."""
        return (frame + 1) % self.gap == 0

    def refreshed(self) -> None:
        """A reference was sent, on schedule or not."""
        self.verdict = PERFECT

    def rendered(self, verdict: float) -> None:
        """A frame was rendered, and this is the verdict on it."""
        self.verdict = verdict
