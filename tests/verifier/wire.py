"""Bytes as docs/protocol.md states them: hashes, signatures, seal, trees, canonical JSON."""

import base64
import hashlib
import hmac
import json
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NONE = "0" * 64
HEADER_KEYS = "kiosk epoch start first count prev head enc key lines frame".split()
LEVEL, REASONS, WORDS = 1, 2, 3
PADDED = {LEVEL: 64, REASONS: 256, WORDS: 2048}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def signed(public_key, domain, message, signature):
    """Whether a signature in base64url without padding is by this key over both."""
    try:
        if len(signature) != 86:
            return False
        raw = base64.urlsafe_b64decode(signature + "==")
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(raw, domain + message)
        return True
    except (InvalidSignature, ValueError):
        return False


# Lines and batches.


def raw(text):
    """What stands for bytes: text, or {"hex": …} where they are no UTF-8."""
    return bytes.fromhex(text["hex"]) if isinstance(text, dict) else text.encode()


def read_object(text, known=None):
    """JSON bytes as an object; None where they are none. No key, or none of the `known` ones, stands
    there twice: else readers would differ in which counts."""

    def once(pairs):
        keys = [key for key, _ in pairs if known is None or key in known]
        if len(set(keys)) != len(keys):
            raise ValueError("a key stands there twice")
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=once)
        return value if isinstance(value, dict) else None
    except ValueError:
        return None


def line_part(lines):
    return b"".join(struct.pack(">I", len(line)) + line for line in lines)


def unpacked(content, count):
    """The lines and the bodies (seq, kind, sealed) of an unpacked frame; its line part."""
    at, lines, bodies = 0, [], []
    for _ in range(count):
        (length,) = struct.unpack_from(">I", content, at)
        lines.append(content[at + 4 : at + 4 + length])
        at += 4 + length
    part = content[:at]
    while at < len(content):
        seq, kind, length = struct.unpack_from(">QBH", content, at)
        bodies.append((seq, kind, content[at + 11 : at + 11 + length]))
        at += 11 + length
    return part, lines, bodies


# The seal.


def public_of(secret):
    key = X25519PrivateKey.from_private_bytes(secret).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def expand(key, info):
    return HKDFExpand(hashes.SHA256(), 32, info).derive(key)


def hpke_export(secret, enc, info, context):
    """Export(context, 32) of the receiver of HPKE's base mode (RFC 9180, 4.1, 5.1 and 5.3)."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"

    def extract(suite, salt, label, key):
        return hmac.digest(salt, b"HPKE-v1" + suite + label + key, "sha256")

    def labeled(suite, key, label, info):
        return expand(key, b"\x00\x20HPKE-v1" + suite + label + info)

    ours = X25519PrivateKey.from_private_bytes(secret)
    shared = ours.exchange(X25519PublicKey.from_public_bytes(enc))
    shared = extract(kem, b"", b"eae_prk", shared)
    shared = labeled(kem, shared, b"shared_secret", enc + public_of(secret))
    schedule = b"\x00" + extract(suite, b"", b"psk_id_hash", b"")
    schedule += extract(suite, b"", b"info_hash", info)
    exporter = labeled(suite, extract(suite, shared, b"secret", b""), b"exp", schedule)
    return labeled(suite, exporter, b"sec", context)


def hchacha20(key, nonce):
    """The 20 rounds without the last addition: one block of ChaCha20, less its first state."""
    block = Cipher(ChaCha20(key, nonce), None).encryptor().update(bytes(64))
    words = struct.unpack("<16I", block)
    first = struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<4I", nonce)
    rest = zip(words[:4] + words[12:], first)
    return struct.pack("<8I", *((word - added) % 2**32 for word, added in rest))


def open_sealed(chain_key, kiosk, epoch, seq, kind, sealed):
    """Salt ‖ padded answer; None if it does not open."""
    nonce, rest = sealed[:24], sealed[24:]
    key = hchacha20(expand(chain_key, bytes([kind])), nonce[:16])
    beside = kiosk.encode() + epoch.encode() + struct.pack(">QB", seq, kind)
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(4) + nonce[16:], rest, beside)
    except InvalidTag:
        return None


# Trees and JSON.


def tree(leaves):
    """The Merkle tree hash of RFC 9162, 2.1.1, over leaves of bytes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    both = tree(leaves[:split]) + tree(leaves[split:])
    return hashlib.sha256(b"\x01" + both).digest()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def canonical(value):
    """RFC 8785, for what a summary holds: its fractions have at most four decimals."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return b"{" + b",".join(compact(k) + b":" + canonical(value[k]) for k in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return compact(value)


def summary_digest(summary):
    left_out = ("digest", "state", "silent_kiosks")
    return digest(canonical({k: v for k, v in summary.items() if k not in left_out}))
