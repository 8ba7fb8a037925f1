"""Each test vector at the end of docs/protocol.md, made again from what stands before it."""

import base64
import hmac
import json
import struct
from datetime import datetime, timedelta, timezone

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import wire


def signature_of(secret, message):
    raw = Ed25519PrivateKey.from_private_bytes(secret).sign(message)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def ticket_of(key, claims, epoch):
    since = datetime.fromisoformat(claims["opened"]) - datetime(2026, 1, 1, tzinfo=timezone.utc)
    packed = bytes([1]) + claims["kiosk"].to_bytes(3, "big") + struct.pack(">I", claims["seq"])
    packed += (since // timedelta(minutes=1)).to_bytes(3, "big") + bytes.fromhex(epoch)[:2]
    proof = hmac.digest(key, b"hailong ticket 1" + packed, "sha256")[:16]
    return base64.b32encode(packed + proof).rstrip(b"=").decode()


class NoVectors(Exception):
    """The document has none."""


class Vectors:
    """Every vector is read by `use`; whichever was not is a problem, too."""

    def __init__(self, vectors):
        self.vectors, self.used, self.problems = vectors, set(), []

    def use(self, name):
        self.used.add(name)
        return self.vectors[name]

    def hex(self, name):
        return bytes.fromhex(self.use(name))

    def same(self, what, here, there):
        if here != there:
            self.problems.append(f"{what}: here {here}, in the document {there}")

    def check(self):
        self.keys()
        lines = self.batch()
        self.bodies(lines)
        self.rest()
        for name in sorted(set(self.vectors) - self.used):
            self.problems.append(f"{name}: nothing here checks it")

    def keys(self):
        opening, signing = self.hex("opening_secret_key"), self.hex("signing_secret_key")
        public = wire.public_of(opening)
        self.same("opening key", public.hex(), self.use("opening_public_key"))
        self.same("its id", wire.digest(public)[:16], self.use("opening_key_id"))
        public = Ed25519PrivateKey.from_private_bytes(signing).public_key()
        public = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.same("signing key", public.hex(), self.use("signing_public_key"))

    def signature(self, what, domain, message):
        """Ed25519 draws nothing: the signature is made again, and believed by the public key."""
        stated = self.use(what)
        secret, public = self.hex("signing_secret_key"), self.use("signing_public_key")
        self.same(what, signature_of(secret, domain + message), stated)
        self.same(f"{what} is believed", wire.signed(public, domain, message, stated), True)

    def batch(self):
        header_line, _, frame = self.hex("batch_request").partition(b"\n")
        self.same("header line", header_line.decode(), self.use("batch_header"))
        self.signature("batch_signature", b"hailong batch 1\n", header_line)
        header = json.loads(header_line)
        self.same("the header's keys", list(header), wire.HEADER_KEYS)
        for key, name in (("epoch", "epoch"), ("enc", "enc"), ("key", "opening_key_id")):
            self.same(f"the header's {key}", header[key], self.use(name))
        self.same("the packed frame", wire.digest(frame), header["frame"])
        content = zstandard.ZstdDecompressor().decompress(frame)
        part, lines, bodies = wire.unpacked(content, header["count"])
        self.same("the line part", wire.digest(part), header["lines"])
        self.same("the lines", [line.decode() for line in lines], self.use("lines"))
        hashes = [wire.digest(line) for line in lines]
        self.same("their hashes", hashes, self.use("hashes"))
        self.same("the head", hashes[-1], header["head"])
        prevs = [header["prev"], *hashes[:-1]]
        self.same("the chain", [json.loads(line)["prev"] for line in lines], prevs)
        stated = [(body["seq"], body["kind"], body["sealed"]) for body in self.use("bodies")]
        self.same("the bodies", [(seq, kind, raw.hex()) for seq, kind, raw in bodies], stated)
        self.header = header
        return {json.loads(line)["seq"]: json.loads(line) for line in lines}

    def bodies(self, lines):
        kiosk, epoch = self.header["kiosk"], self.header["epoch"]
        info = b"hailong journal 1" + kiosk.encode() + epoch.encode()
        secret, enc = self.hex("opening_secret_key"), self.hex("enc")
        chain = [wire.hpke_export(secret, enc, info, b"chain")]
        while len(chain) < len(lines):
            chain.append(wire.expand(chain[-1], b"next"))
        self.same("the chain keys", [key.hex() for key in chain], self.use("chain_keys"))
        answers = []
        for body in self.use("bodies"):
            seq, kind, sealed = body["seq"], body["kind"], bytes.fromhex(body["sealed"])
            key = chain[seq - self.header["start"]]
            opened = wire.open_sealed(key, kiosk, epoch, seq, kind, sealed)
            if opened is None:
                self.problems.append(f"the body of line {seq} does not open")
                continue
            self.same(f"the hash of body {seq}", wire.digest(opened), lines[seq]["body"])
            self.same(f"the length of body {seq}", len(opened), 32 + wire.PADDED[kind])
            answers.append(json.loads(opened[32:].rstrip(b"\0")))
        self.same("the answers", answers, self.use("answers"))

    def rest(self):
        receipt = self.use("receipt").encode()
        self.signature("receipt_signature", b"hailong receipt 1\n", receipt)
        self.same("the receipt's head", json.loads(receipt)["head"], self.use("hashes")[-1])
        ticket = ticket_of(self.hex("ticket_key"), self.use("ticket_claims"), self.use("epoch"))
        self.same("the ticket", ticket, self.use("ticket"))
        summary = json.loads(self.use("summary"))
        self.same("the summary's digest", wire.summary_digest(summary), self.use("summary_digest"))


def check(document):
    """The problems of a document's vectors, and how many vectors there are."""
    with open(document, encoding="utf-8") as file:
        _, begin, block = file.read().partition("```json vectors\n")
    if not begin:
        raise NoVectors(f"{document} has no block of vectors")
    vectors = Vectors(json.loads(block.split("```", 1)[0]))
    try:
        vectors.check()
    except (KeyError, TypeError, ValueError, struct.error, zstandard.ZstdError) as error:
        vectors.problems.append(f"a vector is missing or cannot be read: {error!r}")
    return vectors.problems, [f"{len(vectors.vectors)} vectors"]
