#!/usr/bin/env python3
"""Reads and verifies a Sealift envelope with other people's libraries.

    interop.py ENVELOPE PUBLIC_KEY [PUBLIC_KEY ...] [--payload FILE]

COSE is cwt's and CBOR is cbor2's; SUIT is read here, from
draft-ietf-suit-manifest, and shares no code with the Rust implementation.
A public key is a file with 64 hexadecimal digits or a PEM.

Prints what the manifest says as JSON. Exit status 1, with a line on stderr,
if any digest or signature is not good or the envelope is not deterministic.
Needs interop/requirements.txt.
"""

import argparse
import hashlib
import json
import sys
import uuid

import cbor2
import cwt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

SHA_256 = -16
ED25519 = -19
GRANTS = ["log", "rng", "time", "sensors", "gpio", "udp"]
KINDS = {0: "persistent", 1: "ephemeral"}


class Refused(Exception):
    """A check failed."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def load(encoded, what):
    """Decodes CBOR that has to be deterministic: encoding it again gives it back."""
    item = cbor2.loads(encoded)
    require(cbor2.dumps(item, canonical=False) == encoded, f"{what} is not in its shortest form")
    check_order(item, what)
    return item


def check_order(item, what):
    if isinstance(item, cbor2.CBORTag):
        check_order(item.value, what)
    elif isinstance(item, (list, tuple)):
        for element in item:
            check_order(element, what)
    elif isinstance(item, dict):
        keys = [cbor2.dumps(key) for key in item]
        require(keys == sorted(keys), f"the keys of {what} are not sorted")
        for value in item.values():
            check_order(value, what)


def bstr(content):
    return cbor2.dumps(content)


def check_digest(digest, covered, what):
    algorithm, value = digest
    require(algorithm == SHA_256, f"the digest of {what} is not SHA-256")
    require(hashlib.sha256(covered).digest() == value, f"the digest of {what} does not match")


def read_key(path):
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith(b"-----BEGIN"):
        key = load_pem_public_key(content)
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return bytes.fromhex(content.decode())


def key_id(key):
    return hashlib.sha256(key).digest()[:8]


def check_signature(block, encoded_digest, keys):
    """Checks one COSE_Sign1 and returns the identifier of its key."""
    sign1 = load(block, "a signature")
    require(isinstance(sign1, cbor2.CBORTag) and sign1.tag == 18, "not a COSE_Sign1")
    protected, unprotected, payload, _ = sign1.value
    header = load(protected, "a protected header")
    require(set(header) == {1, 4}, "the protected header is not {alg, kid}")
    require(header[1] == ED25519, "the algorithm is not Ed25519 (-19)")
    require(unprotected == {}, "the unprotected header is not empty")
    require(payload is None, "the payload is not detached")
    require(header[4] in keys, f"signed by an unknown key, {header[4].hex()}")
    key = cwt.COSEKey.new(
        {1: 1, 2: header[4], 3: ED25519, 4: [2], -1: 6, -2: keys[header[4]]}
    )
    cwt.COSE.new().decode(block, key, detached_payload=encoded_digest)
    return header[4]


def pairs(sequence):
    require(len(sequence) % 2 == 0, "a command sequence has an odd length")
    return list(zip(sequence[::2], sequence[1::2]))


def parameters(sequence):
    """All parameters that a command sequence sets."""
    found = {}
    for command, argument in pairs(sequence):
        if command == 20:
            found.update(argument)
    return found


def read(envelope, keys, payload):
    tagged = load(envelope, "the envelope")
    require(isinstance(tagged, cbor2.CBORTag) and tagged.tag == 107, "not a SUIT envelope")
    parts = tagged.value
    require(set(parts) <= {2, 3, 23, "#capsule"}, "the envelope has unknown parts")

    wrapper = load(parts[2], "the authentication wrapper")
    encoded_digest, blocks = wrapper[0], wrapper[1:]
    check_digest(load(encoded_digest, "the digest"), bstr(parts[3]), "the manifest")
    require(blocks, "the envelope is not signed")
    signers = [check_signature(block, encoded_digest, keys) for block in blocks]

    manifest = load(parts[3], "the manifest")
    require(manifest[1] == 1, "not manifest version 1")
    common = load(manifest[3], "common")
    ((component,),) = common[2]
    shared = load(common[4], "the shared sequence")
    require([command for command, _ in pairs(shared)] == [20, 1, 2], "unknown shared sequence")
    image = parameters(shared)
    require(pairs(load(manifest[7], "validate")) == [(3, 15)], "unknown validate sequence")
    invoke = load(manifest[9], "invoke")
    require(pairs(invoke)[-1] == (23, 2), "the invoke sequence does not invoke")
    arguments = load(parameters(invoke)[23], "invoke-args")
    install = load(manifest[20], "install")

    integrated = parts.get("#capsule")
    if integrated is not None:
        require(16 not in manifest, "an integrated payload is not fetched")
        uri = parameters(install)[21]
        require(uri == "#capsule", "install does not take the integrated payload")
        payload = integrated
    else:
        uri = parameters(load(manifest[16], "payload-fetch"))[21]
        require(uri == component.decode() + "/payload", "unknown payload URI")

    if payload is not None:
        require(len(payload) == image[14], "the payload has the wrong length")
        check_digest(load(image[3], "the image digest"), payload, "the payload")

    text = None
    if 23 in parts:
        check_digest(manifest[23], bstr(parts[23]), "the text")
        text = load(parts[23], "the text")
        ((language, entries),) = text.items()
        text = {"language": language, "description": entries.get(1)}

    return {
        "sequence_number": manifest[2],
        "component": component.decode(),
        "vendor_id": str(uuid.UUID(bytes=image[1])),
        "class_id": str(uuid.UUID(bytes=image[2])),
        "payload_digest": load(image[3], "the image digest")[1].hex(),
        "payload_size": image[14],
        "payload_checked": payload is not None,
        "delivery": "detached" if integrated is None else "integrated",
        "uri": uri,
        "digest": load(encoded_digest, "the digest")[1].hex(),
        "signers": [signer.hex() for signer in signers],
        "profile": arguments[1],
        "fuel": arguments[2],
        "memory": arguments[3],
        "stack": arguments[4],
        "grants": [name for bit, name in enumerate(GRANTS) if arguments[5] >> bit & 1],
        "kind": KINDS[arguments[6]],
        "floor": arguments[7],
        "source_digest": arguments[8].hex(),
        "text": text,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("envelope")
    parser.add_argument("key", nargs="+")
    parser.add_argument("--payload")
    arguments = parser.parse_args()
    keys = {key_id(key): key for key in map(read_key, arguments.key)}
    with open(arguments.envelope, "rb") as file:
        envelope = file.read()
    payload = None
    if arguments.payload:
        with open(arguments.payload, "rb") as file:
            payload = file.read()
    try:
        found = read(envelope, keys, payload)
    except Exception as error:  # Whatever a library raises, it is a refusal.
        print(f"refused: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
