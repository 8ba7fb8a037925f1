"""Lines as docs/protocol.md judges them in “Line”, and moments."""

import re
from datetime import datetime, timedelta

from wire import read_object

NAME = r"[a-z0-9_-]{1,32}"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+07:00")


def moment(text):
    """A moment in Viet Nam, or an error: there is one spelling of it."""
    if not MOMENT.fullmatch(text):
        raise ValueError(f"{text} is no moment")
    return datetime.fromisoformat(text[:-6])


def ms(number):
    return timedelta(milliseconds=number)


def is_moment(value):
    try:
        return isinstance(value, str) and moment(value) is not None
    except ValueError:
        return False


def word(pattern=".*"):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.S) is not None


def number(value):
    return type(value) is int and 0 <= value < 2**64


FIRST = "v kiosk epoch seq prev at mono_ms event".split()
KINDS = {
    "v": number, "kiosk": word(NAME), "epoch": word("[0-9a-f]{16}"), "seq": number,
    "prev": word("[0-9a-f]{64}"), "at": is_moment, "mono_ms": number, "event": word(),
    "contact": number, "counter": word(NAME), "official": word(NAME),
    "form": word(NAME + "@[1-9][0-9]{0,5}"), "by": word(), "how": word(),
    "signed_in": lambda value: type(value) is bool, "version": word(),
    "last_run": word(), "prev_epoch": word("[0-9a-f]{16}"), "prev_seq": number, "alive": is_moment,
    "touches": lambda value: type(value) is int and 0 <= value < 2**32,
    "step_ms": lambda value: type(value) is int, "digest": word("[0-9a-f]{64}"), "office": word(),
    "of_kiosk": word(NAME), "of_epoch": word(), "of_seq": number, "of_at": is_moment,
    "source": word(), "person": word(), "access": lambda value: isinstance(value, dict),
    "body": word("[0-9a-f]{64}"), "words": word("[0-9a-f]{64}"),
}  # fmt: skip
NEEDS = {
    "started": ("last_run",),
    "shift": ("counter",),
    "contact": ("counter", "form", "by"),
    "changed": ("contact", "body"),
    "closed": ("contact", "how", "body"),
    "access": ("person", "access"),
}
BY_PHONE = ("of_kiosk", "of_epoch", "of_seq", "of_at", "body")


def judged(line, kiosk, epoch, seq):
    """The line, or why it is in quarantine."""
    read = read_object(line, KINDS)
    if read is None or any(key not in read for key in FIRST):
        return None, "not_a_line"
    if not all(is_right(read[key]) for key, is_right in KINDS.items() if key in read):
        return None, "not_a_line"
    if read["v"] != 1:
        return None, "unknown_version"
    if (read["kiosk"], read["epoch"], read["seq"]) != (kiosk, epoch, seq):
        return None, "wrong_place"
    phone = read["event"] == "contact" and read.get("by") == "phone"
    needs = BY_PHONE if phone else NEEDS.get(read["event"], ())
    if any(key not in read for key in needs) or phone and kiosk != "central":
        return None, "key_missing"
    return read, None
