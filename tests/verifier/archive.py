"""An archive, checked as docs/protocol.md states it in “Archive”, “Batch”, “Roots of days” and
“Body and seal”. Nothing is believed but the keys that the archive names, and those only as far as
an anchor vouches for them."""

import hashlib
from datetime import date

import counting
import wire
from lines import is_moment, judged, moment, ms
from wire import raw, read_object

LEVEL = (("body", wire.LEVEL),)
CLOSED = (("body", wire.REASONS), ("words", wire.WORDS))
BODY_OF = {"contact": LEVEL, "changed": LEVEL, "closed": CLOSED}
SEEN = ("root", "root_refused")
LISTED = ("number", "id", "office", "counters")


class NoArchive(Exception):
    """The file is not an archive at all."""


class Archive:
    def __init__(self, content):
        self.problems, self.notes, self.count = [], [], None
        self.kiosks, self.forms = {}, []
        self.carried = []  # tallies of days whose answers are erased, as the canonical dump has them
        self.order = []  # batches and roots as they stand
        self.lines = {}  # (kiosk, epoch, seq) -> hash -> line; the first received first
        self.starts = {}  # (kiosk, epoch) -> seq of `started`
        self.receipts, self.later = [], []
        self.enrolled, self.enrolments = {}, 0  # (kiosk, key's hash) -> at, lines before it
        self.lists = []  # of each root: its name, its list's hash, such lines before it
        self.received = {}  # (kiosk, epoch, seq) -> when it came first
        self.bodies = {}  # (kiosk, epoch, seq, kind) -> hashes of what stands here, or why not
        for number, record in enumerate(self.records(content), 1):
            kind = record.get("record")
            if (kind == "archive") != (number == 1) or number == 1 and record.get("v") != 1:
                raise NoArchive("expected one record of version 1 of what it is, at its beginning")
            if number == 1:
                self.head, self.part = record, "from" in record
            elif kind == "kiosk":
                named = ((one.get("id"), one.get("number")) for one in self.kiosks.values())
                if any(id == record.get("id") or no == record.get("number") for id, no in named):
                    self.wrong(f"{record.get('id')}: its name or number is another's, too")
                self.kiosks.setdefault(record.get("id"), record)
            elif kind == "form":
                self.forms.append(record)
            elif kind == "receipt":
                self.receipts.append(record)
            elif kind == "later":
                self.later.append(record)
            elif kind == "tallies":
                place = ("tally", record["office"], record["day"])
                self.carried += [[*place, key, n] for key, n in record["tallies"].items()]
            elif kind in ("batch", "root"):
                self.order.append(record)
            elif kind != "directory":
                self.wrong(f"record {number}: another {kind} is not expected")
        if not hasattr(self, "head"):
            raise NoArchive("it is empty")

    def records(self, content):
        """The records before the end record, which must be the last and say what stands before."""
        *lines, rest = content.split(b"\n")
        for number, line in enumerate(lines):
            record = read_object(line)
            if record is None and number == 0:
                raise NoArchive("its first line is no record")
            if record is None:
                self.wrong(f"record {number + 1} of the archive cannot be read")
            elif record.get("record") == "end":
                before = wire.digest(b"".join(line + b"\n" for line in lines[:number]))
                if record != {"record": "end", "records": number, "sha256": before}:
                    self.wrong("the archive is not as it was written")
                if number + 1 != len(lines) or rest:
                    self.wrong("something comes after the end of the archive")
                return
            else:
                yield record
        self.wrong("the archive is cut: its end is not there")

    def wrong(self, what):
        self.problems.append(what)

    def check(self, anchor):
        leaves, previous, anchors = [], None, []
        self.arrivals, self.said = [], False
        self.rooted, self.known, self.told = "", {}, None
        self.root_key = self.head["root_key"]
        if self.head["opened"] and not self.part:
            self.count = counting.Count(self.kiosks.values(), self.forms, self.carried)
        for number, record in enumerate(self.order, 1):
            try:
                if record["record"] == "batch":
                    leaves += self.batch(record)
                else:
                    previous = self.root(record, leaves, previous)
                    anchors.append(previous[1])
                    leaves, self.arrivals = [], []
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.wrong(f"batch or root {number} of the archive cannot be read: {error!r}")
        if leaves:
            self.notes.append(f"{len(leaves)} lines came after the last root")
        if anchor is None:
            self.notes.append("without an anchor: whose keys these are, nothing here proves")
        elif anchor not in anchors:
            self.wrong(f"no root here is {anchor}: this is not what was published")
        self.chains()
        self.admitted()
        self.witnessed()
        self.closed()
        self.receipted()
        self.tell_figures()
        if self.head["opened"]:
            self.answers()
        else:
            self.notes.append("without bodies: no answer was checked")

    # Batches: signature, header, lines.

    def batch(self, batch):
        """Checks a batch; gives the leaves that its lines are under the next root."""
        header_line, lines = raw(batch["header"]), [raw(line) for line in batch["lines"]]
        hashes = [hashlib.sha256(line).digest() for line in lines]
        header = read_object(header_line)
        kiosk, epoch, first = header["kiosk"], header["epoch"], header["first"]
        name = f"{kiosk}, lines {first} to {first + header['count'] - 1}"
        self.arrivals.append(["batch", batch["signature"], batch["received"]])
        if list(header) != wire.HEADER_KEYS:
            self.wrong(f"{name}: the header has other keys")
        listed = self.kiosks.get(kiosk)
        keys = [self.head["series_key"]] if kiosk == "central" else []
        if listed:
            # A batch may be on its way while another key is admitted.
            grace = moment(batch["received"]) - ms(60_000)
            former = [one for one in listed.get("former", []) if grace <= moment(one["until"])]
            keys += [one["key"] for one in [listed, *former]]
        signed = (b"hailong batch 1\n", header_line, batch["signature"])
        if not keys:
            self.wrong(f"{name}: of no kiosk in the list")
        elif not any(wire.signed(key, *signed) for key in keys):
            self.wrong(f"{name}: not signed by its key")
        if len(lines) != header["count"] or wire.digest(wire.line_part(lines)) != header["lines"]:
            self.wrong(f"{name}: the lines are not those that the header signs")
        elif hashes[-1].hex() != header["head"]:
            self.wrong(f"{name}: the head is not the last line")
        self.starts.setdefault((kiosk, epoch), header["start"])
        news = False
        for seq, line in enumerate(lines, first):
            stored = self.lines.setdefault((kiosk, epoch, seq), {})
            self.received.setdefault((kiosk, epoch, seq), batch["received"])
            news = news or wire.digest(line) not in stored
            stored.setdefault(wire.digest(line), line)
            read = read_object(line)
            if kiosk != "central":
                if read and is_moment(read.get("at")):
                    at = min(read["at"], batch["received"])
                    self.told = max(self.told or at, at)
                continue
            self.known.setdefault((epoch, seq), (self.rooted, self.told))
            if read and read.get("event") == "enrolled":
                key = (read.get("of_kiosk"), read.get("digest"))
                self.enrolled.setdefault(key, (read["at"], self.enrolments))
                self.enrolments += 1
        if not news:
            self.wrong(f"{name}: here twice")
        for body in batch.get("bodies", []):
            number = (kiosk, epoch, body["seq"], body["kind"])
            self.bodies.setdefault(number, set()).add(self.body(body))
        if self.count:
            self.count.take(header, lines, batch["received"], batch.get("bodies", []))
        return hashes

    def body(self, body):
        """The hash of what was answered, or why it is not here."""
        if "not_opened" in body:
            return body["not_opened"]
        padded = raw(body["answer"]).ljust(wire.PADDED[body["kind"]], b"\0")
        return wire.digest(bytes.fromhex(body["salt"]) + padded)

    # Lines: each number once, each naming the one before.

    def chains(self):
        seqs, heirs = {}, {}
        for kiosk, epoch, seq in sorted(self.lines):
            seqs.setdefault((kiosk, epoch), []).append(seq)
            if len(self.lines[kiosk, epoch, seq]) > 1:
                self.wrong(f"{kiosk}: line {seq} is here twice, different")
        for (kiosk, epoch), here in seqs.items():
            start = self.starts[kiosk, epoch]
            before = here[0] - 1 if self.part else start - 1
            for seq in here:
                if seq != before + 1:
                    self.wrong(f"{kiosk} {epoch}: lines {before + 1} to {seq - 1} are missing")
                before = seq
                for line in self.lines[kiosk, epoch, seq].values():
                    self.follows(kiosk, epoch, seq, judged(line, kiosk, epoch, seq)[0])
            started = self.lines.get((kiosk, epoch, start), {"": b""})
            started = read_object(next(iter(started.values())))
            if not started or started.get("last_run") == "journal_lost":
                continue
            before = (kiosk, started.get("prev_epoch"), started.get("prev_seq"))
            other = heirs.setdefault(before, epoch)
            if other != epoch:
                self.wrong(f"{kiosk}: two journals from line {start} on ({epoch}, {other})")
            if started.get("prev_epoch"):
                past = (kiosk, started["prev_epoch"])
                last = seqs.get(past, [0])[-1]
                if last > started["prev_seq"]:
                    self.wrong(f"{kiosk}: two journals from line {start} on ({epoch}, {past[1]})")

    def follows(self, kiosk, epoch, seq, line):
        """Whether a line names the one before it as it is here."""
        place = f"{kiosk} {epoch}: line {seq}"
        if line is None:
            self.notes.append(f"{place} is in quarantine")
            return
        before = (kiosk, epoch, seq - 1)
        if line["event"] == "started":
            before = (kiosk, line.get("prev_epoch"), line.get("prev_seq"))
            if line.get("last_run") == "journal_lost" or before[1] is None:
                if line["prev"] != wire.NONE:
                    self.wrong(f"{place} begins a journal, and names one before it")
                return
        if before in self.lines:
            if line["prev"] not in self.lines[before]:
                self.wrong(f"{place} does not follow the line before it as it is")
        elif before[1] != epoch and not self.part:
            self.wrong(f"{place}: the line before it, {before[2]} of {before[1]}, is missing")

    # The kiosks' keys: admitted by a line of the own series.

    def own(self, event):
        for (kiosk, _, _), lines in self.lines.items():
            for line in lines.values():
                read = read_object(line)
                if kiosk == "central" and read and read.get("event") == event:
                    yield read

    def admitted(self):
        kiosks = sorted(self.kiosks.values(), key=lambda kiosk: kiosk["number"])
        for name, kiosks_then, lines in self.lists:
            rows = [row for row in (self.row(kiosk, lines) for kiosk in kiosks) if row]
            if wire.digest(b"".join(wire.compact(row) + b"\n" for row in rows)) != kiosks_then:
                self.wrong(f"{name}: the kiosk list is not that of the archive")
        for name, kiosk in self.kiosks.items():
            keys = [*kiosk.get("former", []), kiosk]
            when = [self.enrolled.get((name, wire.digest(bytes.fromhex(one["key"])))) for one in keys]
            when = [line and line[0] for line in when]
            for former, at in zip(keys, when[1:]):
                if at and abs(moment(former["until"]) - moment(at)) > ms(60_000):
                    self.wrong(f"{name}: a key was in use until another moment than it says")
            if all(when):
                continue
            say = self.notes if self.part else self.problems
            say.append(f"{name}: no line of the central service says that its key was admitted")

    # Receipts: how far each journal had come when the archive was made.

    def receipted(self):
        seen = set()
        for record in self.receipts:
            receipt = record["receipt"].encode()
            signed = b"hailong receipt 1\n", receipt, record["signature"]
            if not wire.signed(self.head["series_key"], *signed):
                self.wrong("a receipt is not signed by its key")
                continue
            read = read_object(receipt)
            kiosk, epoch, mark = read["kiosk"], read["epoch"], read["watermark"]
            seen.add((kiosk, epoch))
            if read["at"] != self.head["at"]:
                self.wrong(f"{kiosk}: its receipt is of another moment than the archive")
            if mark > 0 and not self.reaches(kiosk, epoch, mark, read["head"]):
                self.wrong(f"{kiosk}: line {mark} was here when the archive was made, and is not")
        if "to" in self.head:
            return
        have = {kiosk for kiosk, _ in seen}
        asked = {of for of, _, _ in self.lines} | set(self.kiosks) | {"central"}
        without = asked - have
        if not self.part:
            without |= {kiosk for kiosk, epoch in self.ends() if (kiosk, epoch) not in seen}
        for kiosk in without:
            self.wrong(f"{kiosk}: the receipt of its journal is not here")

    def started(self, kiosk, epoch):
        lines = self.lines.get((kiosk, epoch, self.starts.get((kiosk, epoch))), {"": b""})
        return judged(next(iter(lines.values())), kiosk, epoch, self.starts.get((kiosk, epoch)))[0]

    def reaches(self, kiosk, epoch, seq, head):
        """Whether a line is here, along its epoch and those before it, or before what is here."""
        for _ in range(len(self.starts) + 1):
            if (kiosk, epoch, seq) in self.lines:
                return head in self.lines[kiosk, epoch, seq]
            here = [one for of, within, one in self.lines if (of, within) == (kiosk, epoch)]
            if not here:
                break
            if min(here) < seq:
                return False
            started = self.started(kiosk, epoch)
            if not started or started.get("last_run") == "journal_lost":
                break
            epoch = started.get("prev_epoch")
        return self.part

    def ends(self):
        """Epochs that no other names as the one before it; of kiosks whose epochs all begin here."""
        started = {place: self.started(*place) for place in self.starts}
        unread = {kiosk for (kiosk, _), line in started.items() if not line}
        named = {(kiosk, line and line.get("prev_epoch")) for (kiosk, _), line in started.items()}
        return [place for place in started if place[0] not in unread and place not in named]

    # What is left of days whose answers are erased.

    def closed(self):
        last = None
        for line in [*self.own("decided"), *self.decided_later()]:
            decision = line["decision"]
            rooted, told = self.known.get((line["epoch"], line["seq"]), (self.rooted, self.told))
            # A clock that was put back does not show before the root that was made meanwhile.
            earliest = moment(max(line["at"], rooted)).date() - ms(183 * 86_400_000)
            if decision["what"] == "dated" and date.fromisoformat(decision["day"]) < earliest:
                self.wrong(f"contacts were dated to {decision['day']}, too long before")
            if decision["what"] != "answers_erased":
                continue
            kept = moment(line["at"]).date() - ms(366 * 86_400_000)
            if date.fromisoformat(decision["before"]) > kept:
                self.wrong(f"answers of days up to {decision['before']} had to be kept")
            witness = told and moment(told).date() + ms(31 * 86_400_000)
            if not self.part and (not witness or witness < moment(line["at"]).date()):
                self.notes.append(f"erased up to {decision['before']} by a clock of the service alone")
            if decision.get("since") != last and not (self.part and last is None):
                self.wrong(f"what was erased up to {decision['before']} leaves something out")
            last = decision["before"]
            if line.get("later"):
                continue
            since, before = decision.get("since", ""), decision["before"]
            rows = [row for row in self.carried if since <= row[2] < before]
            if counting.dump_hash(rows) != decision["tallies"]:
                self.wrong(f"what was counted before {before} is not what was kept of it")

    def decided_later(self):
        """Decisions after the end of the archive, by which something of it was erased."""
        for record in self.later:
            header_line, lines = raw(record["header"]), [raw(line) for line in record["lines"]]
            header = read_object(header_line)
            signed = (b"hailong batch 1\n", header_line, record["signature"])
            whole = wire.signed(self.head["series_key"], *signed)
            last = max((seq for of, _, seq in self.lines if of == "central"), default=0)
            whole = whole and header["kiosk"] == "central" and header["first"] > last
            if not whole or wire.digest(wire.line_part(lines)) != header["lines"]:
                self.wrong("a later decision is not signed by the central service")
                continue
            for read in map(read_object, lines):
                if read and read.get("event") == "decided":
                    yield read | {"later": True}

    # The roots that kiosks saw, against those that are here.

    def witnessed(self):
        here = {}
        for record in self.order:
            if record["record"] == "root":
                statement = record["statement"].encode()
                here[(read_object(statement) or {}).get("number")] = wire.digest(statement)
        last = max((number for number in here if isinstance(number, int)), default=0)
        for (kiosk, _, _), lines in self.lines.items():
            for read in map(read_object, lines.values()):
                if kiosk == "central" or not read or read.get("event") not in SEEN:
                    continue
                number, refused = read.get("of_seq"), read["event"] == "root_refused"
                if number in here and (refused or here[number] != read.get("digest")):
                    self.wrong(f"{kiosk} saw another root of number {number} than the one here")
                elif number not in here and number > last:
                    self.wrong(f"{kiosk} saw a root of number {number}, which is not here")

    # Bodies against the hashes in their lines.

    def answers(self):
        for (kiosk, epoch, seq), lines in self.lines.items():
            place = f"{kiosk} {epoch}: a body of line {seq}"
            for read in map(read_object, lines.values()):
                for key, kind in BODY_OF.get(read and read.get("event"), ()):
                    if key not in read:
                        continue
                    here = self.bodies.get((kiosk, epoch, seq, kind), set())
                    if not here:
                        self.wrong(f"{place} is missing")
                    elif "erased" in here:
                        opened = read.get("contact", seq)
                        day = min(read["at"], self.received[kiosk, epoch, seq])[:10]
                        before = self.part and self.opened(kiosk, epoch, opened) < self.head["from"]
                        if not before and not self.erased(kiosk, epoch, opened, day, kind):
                            self.wrong(f"{place} is gone, and nobody decided it")
                    elif all(len(one) < 64 for one in here):
                        self.notes.append(f"{place} is not opened: {', '.join(sorted(here))}")
                    elif read[key] not in here:
                        self.wrong(f"{place} is not what its hash says")

    def opened(self, kiosk, epoch, contact):
        """The day on which a contact was opened, or none if that is not here."""
        opening = (kiosk, epoch, contact)
        lines = map(read_object, self.lines.get(opening, {}).values())
        days = [line["at"][:10] for line in lines if line and line.get("event") == "contact"]
        return min([*days, self.received[opening][:10]]) if days else ""

    def erased(self, kiosk, epoch, contact, day, kind):
        """Whether a decision erased a body."""
        began = min(day, self.opened(kiosk, epoch, contact) or day)
        decided = [*self.own("decided"), *self.decided_later()]
        dated = []
        for decision in (line["decision"] for line in decided):
            if decision["what"] == "dated":
                of = (decision["kiosk"], decision["epoch"]) == (kiosk, epoch)
                if of and decision["first"] <= contact <= decision["last"]:
                    dated.append(decision["day"])
            if decision["what"] == "answers_erased":
                if min([began, *dated]) < decision["before"]:
                    return True
            words = decision["what"] == "words_erased" and kind == wire.WORDS
            if words and day < decision["before"]:
                return True
            if decision["what"] == "erased" and (kind == wire.WORDS or not decision["words_only"]):
                of = (decision["kiosk"], decision["epoch"], decision["contact"])
                if of == (kiosk, epoch, contact):
                    return True
        return False

    # Roots: signed, each naming the one before, over all that stands between.

    def root(self, record, leaves, previous):
        """Checks a root over leaves; gives its number and anchor."""
        statement = record["statement"].encode()
        read = read_object(statement)
        name, anchor = f"root {read['number']} of {read['day']}", wire.digest(statement)
        renewed, former = read.get("renewed"), self.root_key
        if renewed:
            key = bytes.fromhex(renewed["key"])
            if wire.signed(former, b"hailong root key 1\n", key, renewed["by_former"]):
                self.root_key = renewed["key"]
        if not wire.signed(self.root_key, b"hailong root 1\n", statement, record["signature"]):
            self.wrong(f"{name}: not signed by the root key")
        base = self.part and previous is None
        number, before = previous or (0, wire.NONE)
        if not base:
            if (read["number"], read["previous"]) != (number + 1, before):
                self.wrong(f"{name} does not follow the root before it: one is missing")
            if read["lines"] != len(leaves):
                self.wrong(f"{name}: {len(leaves)} lines are here, it is over {read['lines']}")
            elif read["root"] != wire.tree(leaves).hex():
                self.wrong(f"{name}: the lines are not those of its tree, or in another order")
            arrivals = wire.digest(b"".join(wire.compact(row) + b"\n" for row in self.arrivals))
            if read.get("received", None if self.said else arrivals) != arrivals:
                self.wrong(f"{name}: batches were not received when the archive says")
        self.said = "received" in read
        if read["at"] < self.rooted:
            self.notes.append(f"{name} was made before the one before it: a clock was put back")
        self.rooted = read["at"]
        if not base:
            self.lists.append((name, read["kiosks"], self.enrolments))
        if self.count and self.count.findings_hash() != read["findings"]:
            self.wrong(f"{name}: what is wrong with the journals is not what it says")
        return read["number"], anchor

    def row(self, kiosk, lines):
        """A kiosk's row of the list after so many lines that admitted a key, if it was in it."""
        keys, since, key = [*kiosk.get("former", []), kiosk], kiosk["enrolled"], None
        for one in keys:
            digest = wire.digest(bytes.fromhex(one["key"]))
            at, before = self.enrolled.get((kiosk["id"], digest), (None, None))
            # One that was admitted again was admitted first before this part.
            first = at and (not self.part or abs(moment(at) - moment(since)) <= ms(60_000))
            if before < lines if first else self.part:
                key = one["key"]
            since = one.get("until")
        return key and ["kiosk", *(kiosk[name] for name in LISTED), key, kiosk["enrolled"]]

    # What was counted.

    def tell_figures(self):
        self.notes.append("summaries are not made again here: `hailong verify` does")
        if self.count:
            found, rows = self.count.findings(), self.count.dump()
            kinds = sorted(row[0] for row in rows)
            told = [f"{kinds.count(kind)} {kind}s" for kind in ("contact", "finding")]
            digest = counting.dump_hash(rows)
            self.notes.append(f"{', '.join(told)}; the canonical dump of all of it is {digest}")
            self.notes += [f"found: {' '.join(map(str, one))}" for one in sorted(found)]
        else:
            self.notes.append("without bodies, or what came before, nothing was counted again")


def check(file, anchor):
    """The problems of an archive, and what else is to be known of it."""
    with open(file, "rb") as opened:
        archive = Archive(opened.read())
    try:
        archive.check(anchor)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        archive.wrong(f"the archive cannot be read: {error!r}")
    return archive.problems, archive.notes
