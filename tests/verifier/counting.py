"""Contacts, tallies and findings of an archive, by “Counting”, “The day, exactly” and “Canonical
dump” of docs/protocol.md: all of it from the lines that are here, in no order but that of their
numbers, and of two lines of one number the one that came first."""

from collections import Counter

import lines as journal
import wire
from lines import moment, ms

MINUTES = 60_000
FIELDS = (
    "day hour counter official form by level_seq level end_seq how reasons superseded "
    "phone_day phone_level phone_reasons"
).split()
BYS = "touch later invitation slip queue phone".split()
HOWS = "sent skipped timed_out left declined interrupted".split()


def possible_day(at, received):
    """A moment's day, as far as one who received it then can believe it; else None."""
    believed = at.year >= 2026 and at.date() <= (received + ms(10 * MINUTES)).date()
    return at.date() if believed else None


class Forms:
    def __init__(self, forms):
        self.levels, self.codes = {}, set()
        for form in forms:
            name = f"{form['code']}@{form['version']}"
            self.levels[name] = [level["code"] for level in form["levels"]]
            offered = form["reasons"] + form.get("wishes", [])
            for question in form.get("questions", []):
                offered = offered + question["choices"]
            self.codes.update(one["code"] for one in offered)

    def unknown(self, kind, answer, form):
        """Why an answer is none that a form has, or None."""
        if kind == wire.REASONS:
            return None if self.codes.issuperset(answer) else "unknown_reason"
        if kind == wire.LEVEL and form is not None and form not in self.levels:
            return "unknown_form"
        known = [self.levels[form]] if form else self.levels.values()
        if kind == wire.LEVEL and not any(answer in levels for levels in known):
            return "unknown_level"
        return None


def answer_of(kind, text):
    """What stands in a body, or None."""
    read = wire.read_object(text)
    name = {wire.LEVEL: "level", wire.REASONS: "reasons", wire.WORDS: "words"}[kind]
    if read is None or list(read) != [name]:
        return None
    answer = read[name]
    texts = answer if isinstance(answer, list) else [answer]
    fits = isinstance(answer, list) == (kind == wire.REASONS)
    return answer if fits and all(isinstance(text, str) for text in texts) else None


class Epoch:
    def __init__(self, kiosk, name, start):
        self.kiosk, self.name, self.start = kiosk, name, start
        self.hashes, self.lines, self.received = {}, {}, {}  # by seq; lines if not in quarantine
        self.answers = {}  # (seq, kind) -> answer
        self.before = None  # (epoch, seq) that it follows
        self.rooted = self.confirmed = False
        self.last = start  # number of the last line here
        self.jumps = []  # (seq, ms, at) of each

    @property
    def began_behind(self):
        """Its jump back against the epoch before, or None."""
        return next((one for one in self.jumps if one[0] == self.start + 1 and one[1] < 0), None)


class Count:
    """What is known after the batches taken in so far."""

    def __init__(self, kiosks, forms, carried):
        self.offices = {kiosk["id"]: kiosk["office"] for kiosk in kiosks}
        self.forms = Forms(forms)
        self.epochs, self.phones, self.kept = {}, [], set()
        self.decisions = []
        self.carried = carried  # rows of tallies of days that are closed
        self.open_since, self.closed = "", {}  # the first day that is not; day and official

    # Taking in batches.

    def take(self, header, lines, received, bodies):
        kiosk, name = header["kiosk"], header["epoch"]
        epoch = self.epochs.setdefault((kiosk, name), Epoch(kiosk, name, header["start"]))
        received = moment(received)
        for seq, line in enumerate(lines, header["first"]):
            digest = wire.digest(line)
            if seq in epoch.hashes:
                if epoch.hashes[seq] != digest:
                    self.find("conflict", epoch, seq, "other_bytes")
                continue
            epoch.hashes[seq], epoch.received[seq] = digest, received
            epoch.last = max(epoch.last, seq)
            read, bad = journal.judged(line, kiosk, name, seq)
            if bad:
                self.find("quarantine", epoch, seq, bad)
                if seq == epoch.start == header["first"]:
                    self.started_unread(epoch, header)
                continue
            epoch.lines[seq] = read
            if abs(moment(read["at"]) - received) <= ms(10 * MINUTES):
                epoch.confirmed = True
            if read["event"] == "started":
                lost = read["last_run"] == "journal_lost"
                if "prev_epoch" in read and "prev_seq" in read:
                    epoch.before = (read["prev_epoch"], read["prev_seq"])
                epoch.rooted = lost or epoch.before is None
                if lost:
                    self.find("lost", epoch, seq, "journal_lost")
            if read["event"] == "decided":
                self.decisions.append(((name, seq), read["decision"]))
                self.close(read["decision"])
            if read["event"] == "clock" and "step_ms" in read:
                epoch.jumps = sorted([*epoch.jumps, (seq, read["step_ms"], moment(read["at"]))])
            self.open(epoch, read, [body for body in bodies if body["seq"] == seq])
        if kiosk == "central":
            self.phone(epoch, header, lines, received)

    def close(self, decision):
        """Days of which the answers are erased stay as they are."""
        if decision["what"] != "answers_erased":
            return
        for contact in self.contacts():
            if contact["day"] and contact["day"] < decision["before"]:
                self.closed.setdefault(contact["place"], (contact["day"], contact["official"]))
        self.open_since = max(self.open_since, decision["before"])

    def find(self, kind, epoch, seq, reason):
        self.kept.add((kind, epoch.kiosk, epoch.name, seq, reason))

    def started_unread(self, epoch, header):
        """The header of a batch names the line before a `started` that cannot be read."""
        seq, before = epoch.start - 1, None
        epoch.rooted = seq == 0
        for other in self.of(epoch.kiosk):
            if other.hashes.get(seq) == header["prev"]:
                before = other.name
                break
            if other.last == seq in other.hashes and seq not in other.lines:
                before = other.name
        epoch.before = (before, seq) if seq and before else None

    def open(self, epoch, line, bodies):
        """Takes the answers of a line, and names the bodies that cannot be used."""
        kind = wire.REASONS if line["event"] == "closed" else wire.LEVEL
        for kind, named in ((kind, line.get("body")), (wire.WORDS, line.get("words"))):
            body = next((body for body in bodies if body["kind"] == kind), None)
            if named is None and body is None:
                continue
            if named is None:
                bad = "body_not_of_line"
            elif body is None:
                bad = "body_missing"
            elif body.get("not_opened") == "erased":
                continue
            elif "not_opened" in body:
                bad = body["not_opened"]
            else:
                answer = answer_of(kind, wire.raw(body["answer"]))
                bad = "body_not_an_answer"
                if answer is not None:
                    bad = self.forms.unknown(kind, answer, line.get("form"))
            if bad:
                self.find("quarantine", epoch, line["seq"], bad)
            else:
                epoch.answers[line["seq"], kind] = answer
        for body in bodies:
            for reason in body.get("found", []):
                self.find("quarantine", epoch, line["seq"], reason)
        if any(body["kind"] == 0 for body in bodies):
            self.find("quarantine", epoch, line["seq"], "unknown_kind")

    def phone(self, epoch, header, lines, received):
        """Keeps what was answered on phones in a batch of the own series."""
        here = range(header["first"], header["first"] + len(lines))
        for seq in here:
            line, level = epoch.lines.get(seq), epoch.answers.get((seq, wire.LEVEL))
            if not line or line["event"] != "contact" or level is None:
                continue
            closing = (epoch.lines.get(other) for other in here)
            closing = [c for c in closing if c and c["event"] == "closed" and c["contact"] == seq]
            reasons = closing and epoch.answers.get((closing[0]["seq"], wire.REASONS)) or []
            day = str(possible_day(moment(line["of_at"]), received) or "review")
            number = (line["of_kiosk"], line["of_epoch"], line["of_seq"])
            self.phones.append((number, day, level, reasons))

    # Epochs among each other.

    def of(self, kiosk):
        return [epoch for epoch in self.epochs.values() if epoch.kiosk == kiosk]

    def followers(self, epoch):
        return [o for o in self.of(epoch.kiosk) if o.before and o.before[0] == epoch.name]

    def put_forward(self, epoch, most):
        """By how much at most the epochs after this one were put forward, in milliseconds."""
        forward = [0]
        for other in self.followers(epoch) if most else []:
            total = 0
            if other.began_behind:
                continue
            for _, step, _ in other.jumps:
                total += step
                forward.append(total)
            if not other.confirmed:
                forward.append(total + self.put_forward(other, most - 1))
        return max(forward)

    def findings(self):
        found = set(self.kept)
        for epoch in self.epochs.values():
            for seq, line in epoch.lines.items():
                before = epoch.hashes.get(seq - 1)
                if seq == epoch.start:
                    past = epoch.before and self.epochs.get((epoch.kiosk, epoch.before[0]))
                    before = past and past.hashes.get(epoch.before[1])
                    before = wire.NONE if epoch.rooted else before
                if before and before != line["prev"]:
                    found.add(("break", epoch.kiosk, epoch.name, seq, "prev"))
            for other in self.of(epoch.kiosk):
                if (epoch.start, epoch.name) <= (other.start, other.name):
                    continue
                meet = epoch.start <= other.last and other.start <= epoch.last
                rooted = epoch.rooted or other.rooted
                both = epoch.before and other.before and epoch.before[0] == other.before[0]
                if meet or both and not rooted:
                    reason = f"beside_{other.name}"
                    found.add(("fork", epoch.kiosk, epoch.name, epoch.start, reason))
        for contact in self.contacts():
            if contact["day"] == "review":
                place = contact["place"]
                found.add(("clock", place[0], place[1], place[2], "day_unknown"))
        return found

    def findings_hash(self):
        return dump_hash(["finding", *finding] for finding in self.findings())

    # Contacts.

    def day(self, epoch, clock, seq, at):
        """A contact's day, or `review`."""
        received, (overtaken, behind, across) = epoch.received[seq], clock
        day = possible_day(at, received)
        if day is None or overtaken and at > overtaken + ms(MINUTES):
            return "review"

        def another(off):
            try:
                return possible_day(at + ms(off), received) not in (None, day)
            except OverflowError:
                return False

        if behind > 0:
            off = behind + sum(step for place, step, _ in epoch.jumps if place > seq)
            if min(at + ms(min(off, 10**14)), received).date() > day:
                return "review"
        side = -sum(step for place, step, _ in epoch.jumps if place < seq)
        for place, step, _ in epoch.jumps:
            if place < seq:
                if side > MINUTES and across and across[0] == place or side > 0 and another(side):
                    return "review"
            side += step
            if place > seq and another(side):
                return "review"
        return str(day)

    def in_force(self):
        """Decisions that were not withdrawn, in the order taken."""
        finals = ("withdrawn", "erased", "words_erased", "answers_erased", "keys_renewed")
        back = [d for _, d in self.decisions if d["what"] == "withdrawn"]
        back = {(d["epoch"], d["seq"]) for d in back}
        return [d for at, d in self.decisions if at not in back or d["what"] in finals]

    def judged(self, epoch, line, day):
        """A contact's day and official, as decisions have them if there are any."""
        official = line.get("official")
        for d in self.in_force():
            if d["what"] == "dated" and (d["kiosk"], d["epoch"]) == (epoch.kiosk, epoch.name):
                if d["first"] <= line["seq"] <= d["last"]:
                    day = d["day"]
            elif d["what"] == "attributed" and d["office"] == self.offices[epoch.kiosk]:
                during = moment(d["from"]) <= moment(line["at"]) < moment(d["until"])
                if d["counter"] == line.get("counter") and during:
                    official = d.get("official")
        day = "review" if day < self.open_since else day
        return self.closed.get((epoch.kiosk, epoch.name, line["seq"]), (day, official))

    def contacts(self):
        contacts = {}
        for epoch in self.epochs.values():
            if epoch.kiosk not in self.offices:
                continue
            after = self.followers(epoch)
            lower = [o for o in after if sum(step for _, step, _ in o.jumps) < -MINUTES]
            lower = [o.began_behind[2] for o in lower if o.began_behind]
            overtaken = min((at for at in lower if at.year >= 2026), default=None)
            most = len(self.of(epoch.kiosk))
            behind = 0 if epoch.confirmed else self.put_forward(epoch, most)
            clock = (overtaken, behind, epoch.began_behind)

            def touch(seq):
                number = (epoch.kiosk, epoch.name, seq)
                new = dict.fromkeys(FIELDS) | {"place": number, "superseded": int(bool(after))}
                return contacts.setdefault(number, new)

            for seq, line in sorted(epoch.lines.items()):
                level = epoch.answers.get((seq, wire.LEVEL))
                if line["event"] == "contact":
                    contact, at = touch(seq), moment(line["at"])
                    day, official = self.judged(epoch, line, self.day(epoch, clock, seq, at))
                    contact.update(day=day, official=official, hour=at.hour)
                    contact.update({key: line.get(key) for key in ("counter", "form")})
                    contact["by"] = line["by"] if line["by"] in BYS else None
                elif line["event"] == "closed":
                    contact = touch(line["contact"])
                    if contact["end_seq"] is None:
                        reasons = ",".join(epoch.answers.get((seq, wire.REASONS), []))
                        how = line["how"] if line["how"] in HOWS else None
                        contact.update(end_seq=seq, how=how, reasons=reasons)
                if level is not None and line["event"] in ("contact", "changed"):
                    touch(line.get("contact", seq)).update(level_seq=seq, level=level)
        for number, epoch, day, level, reasons in self.placed_phones():
            if epoch:
                place = (epoch.kiosk, epoch.name, number[2])
                new = {"place": place, "superseded": int(bool(self.followers(epoch)))}
                contact = contacts.setdefault(place, dict.fromkeys(FIELDS) | new)
                contact.update(phone_day=day, phone_level=level, phone_reasons=",".join(reasons))
        return contacts.values()

    def placed_phones(self):
        for number, day, level, reasons in self.phones:
            kiosk, prefix, seq = number
            if kiosk in self.offices:
                fits = [e for e in self.of(kiosk) if e.name.startswith(prefix) and e.start <= seq]
                epoch = max(fits, key=lambda epoch: epoch.start, default=None)
                yield number, epoch, day, level, reasons

    def tallies(self, contact):
        """The (day, key) of each tally that a contact adds one to."""
        ended = contact["end_seq"] is not None or contact["superseded"]
        if contact["day"] is None:
            return [(contact["phone_day"], "phone/waiting")] if contact["phone_level"] else []
        keys, form = ["contacts/opened"], contact["form"]
        if contact["by"] == "invitation":
            keys.append("contacts/invited")
        if contact["by"] in ("slip", "queue"):
            keys.append("contacts/called")
        if contact["level"] or contact["phone_level"] and ended:
            channel, side = ("counter", "") if contact["level"] else ("phone", "phone_")
            level, reasons = contact[side + "level"], contact[side + "reasons"] or ""
            place = f"{contact['counter']}/{contact['official'] or '-'}/{contact['hour']}"
            keys += ["contacts/rated", f"rating/{place}/{channel}/{form}/{level}"]
            keys += [f"reason/{form}/{code}" for code in reasons.split(",") if code]
        elif ended:
            how = contact["how"] if contact["end_seq"] is not None else "interrupted"
            other = "later" if contact["by"] == "later" else "timed_out"
            keys.append("contacts/" + (how if how in ("interrupted", "declined") else other))
        if contact["phone_level"] and not ended:
            keys.append("phone/waiting")
        elif contact["phone_level"] and contact["level"]:
            order = self.forms.levels[form].index
            there, here = order(contact["phone_level"]), order(contact["level"])
            compared = "higher" if there < here else "lower" if there > here else "same"
            keys.append(f"beside/{compared}")
        return [(contact["day"], key) for key in keys]

    def dump(self):
        """The rows of the canonical dump."""
        rows, tallies = [["finding", *finding] for finding in self.findings()], Counter()
        for contact in self.contacts():
            rows.append(["contact", *contact["place"], *(contact[field] for field in FIELDS)])
            office = self.offices[contact["place"][0]]
            tallies.update((office, *cell) for cell in self.tallies(contact))
        for number, epoch, day, _, _ in self.placed_phones():
            if not epoch:
                tallies[self.offices[number[0]], day, "phone/waiting"] += 1
        # “review” is after all days.
        rows += [["tally", *key, n] for key, n in tallies.items() if key[1] >= self.open_since]
        return rows + self.carried


def dump_hash(rows):
    return wire.digest(b"".join(line + b"\n" for line in sorted(map(wire.compact, rows))))
