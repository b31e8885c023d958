#!/usr/bin/env python3
"""An independent client: aiocoap with EDHOC (lakers-python) and OSCORE.

It makes one key exchange, then runs the given steps over that one session, and
prints one JSON object for each step. Exit status 0 when every step was answered
with a success code, 1 otherwise.

    client.py --cred op.cred --peer device.pub --uri coap://127.0.0.1:5683 \\
        get /vm-control  put /vm-control/vm1 @hello.suit  post /vm-control/vm1/confirm

A step is `METHOD PATH`, and for put, post and fetch a body after it: `@FILE`,
`hex:00ff`, or text; `-` for none.
"""

import argparse
import asyncio
import base64
import json
import sys

import aiocoap
import aiocoap.edhoc
import cbor2

METHODS = {
    "get": (aiocoap.GET, False),
    "delete": (aiocoap.DELETE, False),
    "put": (aiocoap.PUT, True),
    "post": (aiocoap.POST, True),
    "fetch": (aiocoap.FETCH, True),
}


def block(text, label):
    """The bytes of the PEM block with this label."""
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    _, found, rest = text.partition(begin)
    body, ended, _ = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"no {label} block")
    return base64.b64decode("".join(body.split()), validate=True)


def credential(text):
    return {14: cbor2.loads(block(text, "EDHOC CREDENTIAL"))}


def body_of(argument):
    if argument == "-":
        return b""
    if argument.startswith("@"):
        with open(argument[1:], "rb") as file:
            return file.read()
    if argument.startswith("hex:"):
        return bytes.fromhex(argument[4:])
    return argument.encode()


def steps_of(arguments):
    rest = iter(arguments)
    for name in rest:
        method, has_body = METHODS[name.lower()]
        path = next(rest)
        yield name.lower(), method, path, body_of(next(rest)) if has_body else b""


async def run(options):
    with open(options.cred, encoding="ascii") as file:
        own = file.read()
    with open(options.peer, encoding="ascii") as file:
        peer = file.read()
    context = await aiocoap.Context.create_client_context()
    context.client_credentials[options.uri + "/*"] = aiocoap.edhoc.EdhocCredentials(
        suite=2,
        method=3,
        own_cred_style=options.style,
        own_cred=credential(own),
        private_key={1: 2, -1: 1, -4: block(own, "EDHOC PRIVATE KEY")},
        peer_cred=credential(peer),
    )
    remote = None
    good = True
    for name, method, path, body in steps_of(options.steps):
        request = aiocoap.Message(code=method, uri=options.uri + path, payload=body)
        if remote is not None:
            # A request with a new remote would make a new key exchange.
            request.remote = remote
            if options.szx is not None:
                remote.maximum_block_size_exp = options.szx
        response = await asyncio.wait_for(
            context.request(request).response, options.timeout
        )
        remote = response.remote
        good = good and response.code.is_successful()
        protected = hasattr(remote, "security_context")
        print(
            json.dumps(
                {
                    "method": name,
                    "path": path,
                    "sent": len(body),
                    "code": response.code.dotted,
                    "protected": protected,
                    "payload": response.payload.hex(),
                }
            ),
            flush=True,
        )
        good = good and protected
    await context.shutdown()
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cred", required=True, help="own credential and private key")
    parser.add_argument("--peer", required=True, help="credential of the device")
    parser.add_argument("--uri", required=True, help="coap://HOST:PORT")
    parser.add_argument("--style", default="by-value", choices=["by-value", "by-key-id"])
    parser.add_argument("--szx", type=int, help="block size exponent, 0 to 6, after the first step")
    parser.add_argument("--timeout", type=float, default=30, help="seconds per step")
    parser.add_argument("steps", nargs="+")
    options = parser.parse_args()
    try:
        sys.exit(asyncio.run(run(options)))
    except Exception as error:  # one line for a script to read
        print(f"client.py: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
