#!/usr/bin/env python3
"""Several requests, or several operators, at once; aiocoap as in session.py.

    crowd.py --peer device.pub --uri URI in-flight --cred op.cred --count 20 PATH...
        After one exchange, that many GETs at once, non-confirmable: aiocoap
        allows itself one confirmable message at a time. Paths take turns.

    crowd.py --peer device.pub --uri URI watch --cred op.cred --watcher watch.cred \\
            --szx 2 PATH FILE STATUS
        One operator PUTs the file block by block, another one GETs the status
        again and again until that is done.

    crowd.py --peer device.pub --uri URI restart --cred op.cred PATH
        GETs, says so, waits for a line on standard input and GETs again: over
        the same session, and then, if that is refused, over a new one.

    crowd.py --peer device.pub --uri URI pressed --cred op.cred PATH
        GETs, says so, waits for a line on standard input and GETs again; then
        over a new session as aiocoap makes it, and over one whose key exchange
        brings back an Echo value.

Prints one JSON object for each response.
"""

import argparse
import asyncio
import json
import sys

import aiocoap.error

from session import Session, report


def say(method, path, body, response, **more):
    print(json.dumps(report(method, path, body, response) | more), flush=True)


async def in_flight(options, opened):
    session = await opened(options.cred)
    say("get", options.paths[0], b"", await session.request("get", options.paths[0]))
    paths = [options.paths[n % len(options.paths)] for n in range(options.count)]
    responses = await asyncio.gather(
        *(session.request("get", path, confirmable=False) for path in paths)
    )
    for path, response in zip(paths, responses):
        say("get", path, b"", response)


async def watch(options, opened):
    sender, watcher = await opened(options.cred), await opened(options.watcher)
    with open(options.file, "rb") as file:
        body = file.read()
    say("get", options.status, b"", await sender.request("get", options.status))
    upload = asyncio.create_task(
        sender.request("put", options.path, body, szx=options.szx)
    )
    while not upload.done():
        response = await watcher.request("get", options.status)
        say("get", options.status, b"", response, watcher=True)
    say("put", options.path, body, await upload)


async def attempt(session, path):
    try:
        say("get", path, b"", await session.request("get", path))
    except aiocoap.error.ResponseWrappingError as error:
        print(json.dumps({"error": error.coapmessage.code.dotted}), flush=True)
        return False
    except aiocoap.error.Error as error:
        print(json.dumps({"error": type(error).__name__}), flush=True)
        return False
    return True


async def restart(options, opened):
    session = await opened(options.cred)
    say("get", options.path, b"", await session.request("get", options.path))
    await asyncio.to_thread(sys.stdin.readline)
    if not await attempt(session, options.path):
        await attempt(await opened(options.cred), options.path)


async def pressed(options, opened):
    session = await opened(options.cred)
    await attempt(session, options.path)
    await asyncio.to_thread(sys.stdin.readline)
    await attempt(session, options.path)
    await attempt(await opened(options.cred), options.path)
    await attempt(await opened(options.cred, echoing=True), options.path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="credential of the device")
    parser.add_argument("--uri", required=True, help="coap://HOST:PORT")
    parser.add_argument("--timeout", type=float, default=60, help="seconds per request")
    scenes = parser.add_subparsers(required=True)

    def scene(run, *names):
        added = scenes.add_parser(run.__name__.replace("_", "-"))
        added.set_defaults(run=run)
        added.add_argument("--cred", required=True, help="own credential and private key")
        for name in names:
            added.add_argument(name)
        return added

    added = scene(in_flight)
    added.add_argument("--count", type=int, required=True)
    added.add_argument("paths", nargs="+")
    added = scene(watch, "path", "file", "status")
    added.add_argument("--watcher", required=True, help="credential of the other one")
    added.add_argument("--szx", type=int, required=True, help="block size exponent")
    scene(restart, "path")
    scene(pressed, "path")
    return parser.parse_args()


async def run(options):
    sessions = []

    async def opened(cred, **more):
        session = await Session.open(
            options.uri, cred, options.peer, timeout=options.timeout, **more
        )
        sessions.append(session)
        return session

    await options.run(options, opened)
    for session in sessions:
        await session.close()


def main():
    options = arguments()
    try:
        asyncio.run(run(options))
    except Exception as error:  # one line for a script to read
        print(f"crowd.py: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
