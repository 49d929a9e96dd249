"""What a comparison says, in sentences, from the report alone."""

from __future__ import annotations

from typing import Any

from neurocodec.compare.blocks import FACES


def first_metric(report: dict[str, Any], summary: dict[str, Any]) -> str | None:
    """The metric that is answered by: the first one that was measured."""
    return next((name for name in report["metrics"] if name in summary["metrics"]), None)


def short(title: str) -> str:
    """A codec's title without what is in brackets."""
    return title.split(" (")[0]


def answers(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """One sentence a peer: what it needs for the quality of our default in the first metric."""
    name = first_metric(report, summary)
    if name is None:
        return []
    titles = {codec: facts["title"] for codec, facts in report["codecs"].items()}
    return [
        answer(titles[peer], facts, summary["videos"])
        for peer, facts in summary["metrics"][name]["peers"].items()
    ]


def answer(title: str, facts: dict[str, Any], videos: int) -> str:
    """One peer in a sentence; rates are geometric means over the videos for which there is one."""
    inside, cheaper, beyond = (facts["counts"][status] for status in ("inside", "cheaper", "out of reach"))
    total, best = inside + cheaper + beyond, facts["best_case_percent"]
    if not inside:
        if cheaper == total:
            return f"{title} is better even at its lowest rate" + (f", on all {total} videos" * (total > 1))
        if beyond == total:
            return f"{title} does not get there at any rate that was tried"
        return f"{title}: no figure; better even at its lowest rate on {cheaper} of {total} videos"
    found = facts["rate_change_percent"]
    text = (
        f"{title} needs {facts['peer_kbps']:.1f} kbit/s where we need {facts['ours_kbps']:.1f}: "
        f"{change(found)}"
    )
    if inside < total:
        text += f" (on {inside} of {total} videos"
        text += f"; on {cheaper} it is better even at its lowest rate" if cheaper else ""
        text += f"; over all at best {change({'mean': best, 'low': None})}" if best is not None else ""
        text += f"; on {beyond} it does not get there" if beyond else ""
        text += ")"
    return text


def change(found: dict[str, Any]) -> str:
    """A change of rate: ``62 % saved [55, 68]`` or ``12 % more``."""
    mean, low = found["mean"], found["low"]
    word, sign = ("saved", -1) if mean < 0 else ("more", 1)
    text = f"{abs(mean):.0f} % {word}"
    if low is None:
        return text
    a, b = sorted((sign * low, sign * found["high"]))
    return f"{text} [{a:.0f}, {b:.0f}]"


def where(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """One sentence a peer: at which rates we are better, and at which it is."""
    name = first_metric(report, summary)
    if name is None:
        return []
    return [
        _where(short(report["codecs"][peer]["title"]), found)
        for peer, found in summary["metrics"][name]["better"].items()
    ]


def _where(title: str, found: list[dict[str, Any]]) -> str:
    if not found:
        return f"we and {title} have no rate in common"
    low, high = found[0]["low"], found[-1]["high"]
    if len(found) == 1:
        who = "we are" if found[0]["ours"] else f"{title} is"
        return f"from {low:.1f} to {high:.1f} kbit/s {who} better throughout"
    if len(found) == 2:
        first, then = ("we are", f"{title} is") if found[0]["ours"] else (f"{title} is", "we are")
        return f"below {found[0]['high']:.1f} kbit/s {first} better, above it {then}"
    ours = ", ".join(f"{s['low']:.1f} to {s['high']:.1f}" for s in found if s["ours"])
    return f"we are better than {title} at {ours} kbit/s, of {low:.1f} to {high:.1f} that both have"


def worst_block(found: dict[str, Any], videos: int) -> str:
    """Of :func:`neurocodec.compare.blocks.kept`: ``4 % further (talk, 0 to 5 s, faces)``."""
    worst = found["worst"]
    percent = 100 * (worst["ratio"] - 1)
    how = f"{abs(percent):.0f} % {'further' if percent > 0 else 'nearer'}"
    where = f"{worst['video']}, " if videos > 1 else ""
    what = "faces" if worst["metric"] == FACES else "frame"
    return f"{how} ({where}{worst['begin']:.0f} to {worst['end']:.0f} s, {what})"


def blocks(report: dict[str, Any], summary: dict[str, Any], peer: str) -> list[str]:
    """In how many blocks of five seconds ours is no further from the original than a peer."""
    found = summary["blocks"].get(peer)
    if found is None:
        return []
    default, every = found["default"], found["all"]
    many = "block" if default["of"] == 1 else "blocks"
    out = [
        f"in {default['kept']} of {default['of']} {many} of five seconds ours is at least as near to the "
        f"original as {short(report['codecs'][peer]['title'])} at the same bytes (at most "
        f"{100 * (report['block_limit'] - 1):.0f} % more); the worst is "
        f"{worst_block(default, summary['videos'])}"
    ]
    if every["of"] > default["of"]:
        out.append(
            f"that is at our default; at all points of ours together it is so in {every['kept']} of "
            f"{every['of']}, and the worst is {worst_block(every, summary['videos'])}"
        )
    return out


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return text[:1].upper() + text[1:] + "."


def verdict(report: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """The whole verdict in plain words, for the head of a report."""
    name = first_metric(report, summary)
    if name is None:
        return []
    facts = report["metrics"][name]
    head = f"Judged by {facts['title']} ({facts['better']} is better)"
    default = next((b for b in summary["beside"] if b["codec"] == "ours"), None)
    if default and default["means"].get(name) is not None:
        head += f", our default takes {default['kbps']:.1f} kbit/s for {number(default['means'][name])}"
    of_blocks = [text for peer in summary["blocks"] for text in blocks(report, summary, peer)]
    texts = (*answers(report, summary), *where(report, summary), *of_blocks)
    return [head + ".", *map(sentence, texts)]


def number(value: float | None) -> str:
    """A metric's value with three or four digits that mean something."""
    return "-" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
