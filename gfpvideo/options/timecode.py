"""Times as people write them, exactly."""

import re
from fractions import Fraction


def seconds(text: str) -> Fraction:
    """Seconds of ``90``, ``90.5``, ``1:30`` or ``0:01:30.500``; of ``181/2`` too, as options are written in JSON.

    Raises:
        ValueError: if it is not a time.
    """
    match = re.fullmatch(r"(?:(?:(\d{1,6}):)?(\d{1,2}):)?(\d{1,9}(?:\.\d{1,9})?)", text.strip())
    if re.fullmatch(r"\d{1,18}/[1-9]\d{0,17}", text):
        return Fraction(text)
    if match is None:
        raise ValueError("must be seconds or h:mm:ss.sss")
    hours, minutes, rest = match.groups()
    return 3600 * Fraction(hours or 0) + 60 * Fraction(minutes or 0) + Fraction(rest)


def timecode(time: Fraction) -> str:
    """``h:mm:ss.mmm`` of a time in seconds."""
    thousandths = round(time * 1000)
    sign, rest = "-" if thousandths < 0 else "", abs(thousandths)
    return f"{sign}{rest // 3_600_000}:{rest // 60_000 % 60:02d}:{rest // 1000 % 60:02d}.{rest % 1000:03d}"
