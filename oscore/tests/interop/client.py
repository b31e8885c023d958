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
import json
import sys

from session import METHODS, Session, is_protected, report

BODIES = ("put", "post", "fetch")


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
        name = name.lower()
        if name not in METHODS:
            raise ValueError(f"no method {name}")
        path = next(rest)
        yield name, path, body_of(next(rest)) if name in BODIES else b""


async def run(options):
    session = await Session.open(
        options.uri, options.cred, options.peer, options.style, options.timeout
    )
    good, more = True, {}
    if options.accept is not None:
        more["accept"] = options.accept
    for method, path, body in steps_of(options.steps):
        response = await session.request(
            method,
            path,
            body,
            szx=options.szx,
            szx2=options.szx2,
            confirmable=not options.non,
            **more,
        )
        print(json.dumps(report(method, path, body, response)), flush=True)
        good = good and response.code.is_successful() and is_protected(response)
    await session.close()
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cred", required=True, help="own credential and private key")
    parser.add_argument("--peer", required=True, help="credential of the device")
    parser.add_argument("--uri", required=True, help="coap://HOST:PORT")
    parser.add_argument("--style", default="by-value", choices=["by-value", "by-key-id"])
    parser.add_argument("--szx", type=int, help="block size exponent, 0 to 6, after the first step")
    parser.add_argument("--szx2", type=int, help="the same, asked for in responses")
    parser.add_argument("--accept", type=int, help="the content format to ask for")
    parser.add_argument("--non", action="store_true", help="send non-confirmable requests")
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
