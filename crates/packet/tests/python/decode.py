#!/usr/bin/env python3
"""Reads what kits and the centre send each other, written from docs/packet.md alone: a second reader, so that
the document is proved and not only the program. Python's standard library and nothing else.

It is slow and takes no care of timing: it is for tests, and must never hold a real key.

Reads lines `name hex` on standard input, and writes lines `path value`, or `refused REASON` and ends with 1:

    what packet | receipt | day_report | status | batch       kit, officer, centre: public points
    bytes  the message                               intake: the private number
"""

import hashlib
import hmac
import sys


class Refused(Exception):
    pass


def nothing(item):
    need(isinstance(item, Map) and not item, "unprotected headers")


def need(condition, why):
    if not condition:
        raise Refused(why)


# CBOR (RFC 8949): the shortest form of every item, definite lengths, and nothing left over.


class Tag:
    def __init__(self, number, item):
        self.number, self.item = number, item


class Map(list):
    """A map, as the list of its pairs."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        need(self.at + length <= len(self.data), "cut off")
        self.at += length
        return self.data[self.at - length : self.at]

    def head(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        need(info in (24, 25, 26, 27), "no definite length")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        least = 24 if size == 1 else 1 << (4 * size)
        need(major == 7 or value >= least, "not the shortest form")
        return major, value

    def item(self, depth=0):
        need(depth < 16, "too deep")
        major, value = self.head()
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return bytes(self.take(value))
        if major == 3:
            try:
                return self.take(value).decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("no UTF-8")
        if major == 4:
            need(value <= len(self.data), "cut off")
            return [self.item(depth + 1) for _ in range(value)]
        if major == 5:
            need(value <= len(self.data), "cut off")
            return Map((self.item(depth + 1), self.item(depth + 1)) for _ in range(value))
        if major == 6:
            return Tag(value, self.item(depth + 1))
        need(value in (20, 21, 22), "a simple value that no message has")
        return {20: False, 21: True, 22: None}[value]


def decode(data):
    reader = Reader(data)
    item = reader.item()
    need(reader.at == len(data), "bytes are left over")
    return item


def encode_head(major, value):
    for info, size in ((None, 0), (24, 1), (25, 2), (26, 4), (27, 8)):
        if info is None:
            if value < 24:
                return bytes([major << 5 | value])
        elif value < 1 << (8 * size):
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def encode(item):
    if item is None:
        return b"\xf6"
    if isinstance(item, int):
        return encode_head(0, item) if item >= 0 else encode_head(1, -1 - item)
    if isinstance(item, bytes):
        return encode_head(2, len(item)) + item
    if isinstance(item, str):
        data = item.encode("utf-8")
        return encode_head(3, len(data)) + data
    return encode_head(4, len(item)) + b"".join(encode(one) for one in item)


def fields(item, length, what):
    need(isinstance(item, list) and len(item) == length, what + " has another number of items")
    return item


# P-256 (SEC 2 §2.4.2), in affine coordinates.

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def on_curve(x, y):
    return x < P and y < P and (y * y - x * x * x + 3 * x - B) % P == 0


def add(one, other):
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % P == 0:
            return None
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P)
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(number, point):
    total = None
    while number:
        if number & 1:
            total = add(total, point)
        point = add(point, point)
        number >>= 1
    return total


def point(data):
    need(len(data) == 65 and data[0] == 4, "no uncompressed point")
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    need(on_curve(x, y), "no point on the curve")
    return x, y


def octets(of):
    return b"\x04" + of[0].to_bytes(32, "big") + of[1].to_bytes(32, "big")


def verify(key, message, signature, who):
    need(isinstance(signature, bytes) and len(signature) == 64, who + ": no signature of 64 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    need(0 < r < N and 0 < s < N, who + ": no signature")
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, N)
    found = add(times(digest * inverse % N, G), times(r * inverse % N, key))
    need(found is not None and found[0] % N == r, who + ": the signature does not hold")


# AES (FIPS 197), only what opening takes.


def boxes():
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = [(q << n | q >> (8 - n)) & 0xFF for n in (1, 2, 3, 4)]
        box[p] = q ^ rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    back = [0] * 256
    for at, value in enumerate(box):
        back[value] = at
    return box, back


SBOX, BACK = boxes()


def double(value):
    return (value << 1 ^ (0x11B if value & 0x80 else 0)) & 0xFF


def gmul(value, by):
    total = 0
    while by:
        if by & 1:
            total ^= value
        value, by = double(value), by >> 1
    return total


def round_keys(key):
    words = [list(key[at : at + 4]) for at in range(0, 32, 4)]
    rcon = 1
    while len(words) < 60:
        word = list(words[-1])
        if len(words) % 8 == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = double(rcon)
        elif len(words) % 8 == 4:
            word = [SBOX[byte] for byte in word]
        words.append([a ^ b for a, b in zip(word, words[-8])])
    return [sum(words[at : at + 4], []) for at in range(0, 60, 4)]


def encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, key in enumerate(keys[1:], 1):
        state = [SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
        if number < 14:
            mixed = []
            for at in range(0, 16, 4):
                a, b, c, d = state[at : at + 4]
                mixed += [
                    double(a) ^ double(b) ^ b ^ c ^ d,
                    a ^ double(b) ^ double(c) ^ c ^ d,
                    a ^ b ^ double(c) ^ double(d) ^ d,
                    double(a) ^ a ^ b ^ c ^ double(d),
                ]
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def decrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[14])]
    for number in range(13, -1, -1):
        state = [BACK[state[(at - 4 * (at % 4)) % 16]] for at in range(16)]
        state = [a ^ b for a, b in zip(state, keys[number])]
        if number:
            mixed = []
            for at in range(0, 16, 4):
                column = state[at : at + 4]
                for row in range(4):
                    factors = (14, 11, 13, 9)
                    mixed.append(
                        gmul(column[row], factors[0])
                        ^ gmul(column[(row + 1) % 4], factors[1])
                        ^ gmul(column[(row + 2) % 4], factors[2])
                        ^ gmul(column[(row + 3) % 4], factors[3])
                    )
            state = mixed
    return bytes(state)


def unwrap(key, wrapped):
    """RFC 3394 §2.2.2."""
    need(len(wrapped) == 40, "no wrapped key of 40 bytes")
    keys = round_keys(key)
    a, r = wrapped[:8], [wrapped[at : at + 8] for at in range(8, 40, 8)]
    for step in range(4 * 6, 0, -1):
        mixed = (int.from_bytes(a, "big") ^ step).to_bytes(8, "big")
        block = decrypt_block(keys, mixed + r[(step - 1) % 4])
        a, r[(step - 1) % 4] = block[:8], block[8:]
    need(a == b"\xa6" * 8, "the content key does not unwrap")
    return b"".join(r)


def gcm_open(key, nonce, aad, sealed):
    """NIST SP 800-38D §7.2, with a nonce of 12 bytes."""
    need(len(nonce) == 12 and len(sealed) >= 16, "no nonce, or no tag")
    keys, text, tag = round_keys(key), sealed[:-16], sealed[-16:]
    h = int.from_bytes(encrypt_block(keys, bytes(16)), "big")
    table = [h]
    for _ in range(127):
        last = table[-1]
        table.append(last >> 1 ^ (0xE1 << 120 if last & 1 else 0))

    def ghash(total, data):
        for at in range(0, len(data), 16):
            total ^= int.from_bytes(data[at : at + 16].ljust(16, b"\0"), "big")
            product = 0
            for bit in range(128):
                if total >> (127 - bit) & 1:
                    product ^= table[bit]
            total = product
        return total

    lengths = (8 * len(aad)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
    total = ghash(ghash(ghash(0, aad), text), lengths)
    mask = int.from_bytes(encrypt_block(keys, nonce + b"\0\0\0\1"), "big")
    need(hmac.compare_digest((total ^ mask).to_bytes(16, "big"), tag), "the content does not decrypt")
    plain = bytearray()
    for number in range(0, len(text), 16):
        stream = encrypt_block(keys, nonce + (number // 16 + 2).to_bytes(4, "big"))
        plain += bytes(a ^ b for a, b in zip(text[number : number + 16], stream))
    return bytes(plain)


def hkdf(secret, info):
    """RFC 5869 with SHA-256, no salt, 32 bytes."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


# The messages, in the order of the document.


def tagged(data, number, length, what):
    message = decode(data)
    need(isinstance(message, Tag) and message.number == number, "no " + what)
    return fields(message.item, length, what)


def header(data, what):
    need(isinstance(data, bytes), what + " has no protected header")
    pairs = decode(data)
    need(isinstance(pairs, Map), what + " has no header")
    need(len({key for key, _ in pairs}) == len(pairs), what + " has a header twice")
    return dict(pairs)


TYPE = 'application/cose; cose-type="cose-encrypt"'
ENVELOPE = [
    "version",
    "packet_id",
    "application_id",
    "kit_id",
    "kit_seq",
    "prev_sha256",
    "credential_id",
    "captured_at",
    "centre_at",
    "unit",
    "content",
    "kind",
    "base_application_id",
]
CONTENTS = {
    "application": "record claimed_person_id differs receipt_hash fingers photo capture finger_images",
    "recapture": "changes differs receipt_hash fingers photo capture finger_images",
    "hand_over": "card_sha256 receipt_hash attempt came fingers capture",
}


def envelope_of(body, told):
    need(set(body) == {3, -65537} and body[3] == TYPE, "the packet's header is another")
    values = dict(zip(ENVELOPE, fields(body[-65537], len(ENVELOPE), "the envelope")))
    need(values["version"] == 3, "another version")
    for name in ("packet_id", "application_id", "kit_id", "credential_id"):
        need(isinstance(values[name], bytes) and len(values[name]) == 16, name + " has no 16 bytes")
    need(isinstance(values["kit_seq"], int) and 1 <= values["kit_seq"] <= 10_000_000, "no counter")
    prev = values["prev_sha256"]
    need((prev is None) == (values["kit_seq"] == 1), "a first packet that follows another, or the reverse")
    need(prev is None or isinstance(prev, bytes) and len(prev) == 32, "no hash")
    content, kind, base = values["content"], values["kind"], values["base_application_id"]
    need(content in CONTENTS, "an unknown content")
    need((kind is None) == (content == "hand_over"), "a kind where there is none, or the reverse")
    need((base is None) == (content != "recapture"), "a base where there is none, or the reverse")
    for name in ENVELOPE:
        tell(told, "envelope." + name, values[name])
    return values


def read_packet(given, told):
    need(len(given["bytes"]) <= 256 * 1024, "too large")
    protected, unprotected, payload, signatures = tagged(given["bytes"], 98, 4, "COSE_Sign")
    nothing(unprotected)
    need(isinstance(payload, bytes), "no payload")
    envelope = envelope_of(header(protected, "the packet"), told)
    parties = [("kit", envelope["kit_id"]), ("officer", envelope["credential_id"])]
    for (who, kid), signature in zip(parties, fields(signatures, 2, "the list of signatures")):
        own, bare, raw = fields(signature, 3, "a signature")
        nothing(bare)
        need(header(own, who) == {1: -7, 4: kid}, who + " signs under another id")
        signed = encode(["Signature", protected, own, b"dancu packet 3", payload])
        verify(point(given[who]), signed, raw, who)
    plain = open_payload(payload, protected, int.from_bytes(given["intake"], "big"))
    names = CONTENTS[envelope["content"]].split()
    values = fields(decode(plain), len(names) + 1, "the content")
    need(values[0] == 3, "another version of the content")
    for name, value in zip(names, values[1:]):
        tell(told, "content." + name, value)


def open_payload(payload, outer, intake):
    protected, unprotected, ciphertext, recipients = tagged(payload, 96, 4, "COSE_Encrypt")
    need(header(protected, "the ciphertext") == {1: 3}, "another algorithm than A256GCM")
    (recipient,) = fields(recipients, 1, "the list of recipients")
    own, open_part, wrapped = fields(recipient, 3, "the recipient")
    own_header = header(own, "the recipient")
    key_id = hashlib.sha256(octets(times(intake, G))).digest()[:8]
    need(own_header == {1: -31, 4: key_id}, "another algorithm, or for another intake key")
    ephemeral = dict(dict(open_part)[-1])
    need(ephemeral[1] == 2 and ephemeral[-1] == 1, "no ephemeral P-256 key")
    shared = times(intake, point(b"\x04" + ephemeral[-2] + ephemeral[-3]))
    nobody = [None, None, None]
    info = encode([-5, nobody, nobody, [256, own]])
    key = unwrap(hkdf(shared[0].to_bytes(32, "big"), info), wrapped)
    aad = encode(["Encrypt", protected, outer])
    return gcm_open(key, dict(unprotected)[5], aad, ciphertext)


def signed_once(given, who, context):
    protected, unprotected, payload, raw = tagged(given["bytes"], 18, 4, "COSE_Sign1")
    nothing(unprotected)
    own = header(protected, who)
    need(set(own) == {1, 4} and own[1] == -7, "another algorithm than ES256")
    verify(point(given[who]), encode(["Signature1", protected, context, payload]), raw, who)
    return own[4], decode(payload)


def read_receipt(given, told):
    key_id, payload = signed_once(given, "centre", b"dancu receipt 2")
    need(key_id == hashlib.sha256(given["centre"]).digest()[:8], "another key")
    version, at, lines, standings = fields(payload, 4, "the receipt")
    need(version == 2, "another version")
    tell(told, "at", at)
    tell(told, "items", [fields(line, 3, "a line") for line in lines])
    tell(told, "standings", [read_standing(standing) for standing in standings])


def read_standing(standing):
    kit, highest, missing, durable, means = fields(standing, 5, "a standing")
    after = 0
    for first, last in (fields(one, 2, "a range") for one in missing):
        need(after < first <= last < highest, "ranges out of order")
        after = last
    if durable is not None:
        counter, sha256 = fields(durable, 2, "a watermark")
        need(0 < counter <= highest and len(sha256) == 32, "a watermark above the highest")
    need(means in ("commit", "archive", "standby", "archive_and_standby"), "an unknown means")
    return [kit, highest, missing, durable, means]


def read_day_report(given, told):
    kit, payload = signed_once(given, "kit", b"dancu day report 1")
    names = ["version", "day", "reported_at", "unsent", "captured_total", "captures"]
    values = fields(payload, len(names), "the day report")
    need(values[0] == 1, "another version")
    tell(told, "kit_id", kit)
    for name, value in zip(names[1:], values[1:]):
        tell(told, name, value)


def read_status(given, told):
    kit, payload = signed_once(given, "kit", b"dancu kit status 1")
    names = ["version", "asked_at", "total", "unsent", "durable", "forgotten"]
    values = fields(payload, len(names), "the status")
    need(values[0] == 1, "another version")
    need(values[3] <= values[2] and values[5] <= values[4] <= values[2], "counts more than there is")
    tell(told, "kit_id", kit)
    for name, value in zip(names[1:], values[1:]):
        tell(told, name, value)


def read_batch(given, told):
    rest, packets = given["bytes"], []
    while rest:
        need(rest[0] == 0x5A and len(rest) >= 5, "no byte string with a length of four bytes")
        length = int.from_bytes(rest[1:5], "big")
        need(5 + length <= len(rest), "cut off")
        packets.append(rest[5 : 5 + length])
        rest = rest[5 + length :]
    tell(told, "packets", packets)


def tell(told, path, value):
    """One line for each value at an end of the tree; bytes in hexadecimal digits."""
    if isinstance(value, Map):
        for name, item in value:
            tell(told, f"{path}.{name}", item)
    elif isinstance(value, list):
        told.append(f"{path} [{len(value)}]")
        for number, item in enumerate(value):
            tell(told, f"{path}.{number}", item)
    elif isinstance(value, bytes):
        told.append(f"{path} h'{value.hex()}'")
    else:
        told.append(f"{path} {'null' if value is None else value}")


def main():
    given = {}
    for line in sys.stdin:
        name, _, value = line.strip().partition(" ")
        given[name] = value if name == "what" else bytes.fromhex(value)
    readers = {
        "packet": read_packet,
        "receipt": read_receipt,
        "day_report": read_day_report,
        "status": read_status,
        "batch": read_batch,
    }
    told = []
    try:
        readers[given["what"]](given, told)
    except (Refused, KeyError, TypeError, ValueError, IndexError) as error:
        print("refused", error)
        return 1
    print("\n".join(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
