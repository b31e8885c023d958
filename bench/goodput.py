#!/usr/bin/env python3
"""Goodput of one client, aiocoap, to several servers: Sealift devices and aiocoap's.

    goodput.py --device coap://127.0.0.1 device.pub --server server --listen 127.0.0.2 \\
        --cred op --rounds 5 1.suit 2.suit ...

Starts aiocoap's server as a process of its own, with the identity `server.cred`,
and makes one security context with each server. Then, for each block size, it PUTs
an envelope to each of them in turn, and prints a row of a table in Markdown, in
kilobytes per second: the median, and the slowest and the fastest round. Each round
takes a new envelope, which a device activates and starts.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time

sys.path.insert(
    0, os.path.join(os.path.dirname(__file__), "..", "oscore", "tests", "interop")
)

import aiocoap
import aiocoap.edhoc
import aiocoap.resource
from aiocoap.credentials import CredentialsMap
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper
from session import Session, block, credential, is_protected, read

SIZES = {64: 2, 128: 3, 256: 4, 512: 5, 1024: 6}


class Sink(aiocoap.resource.Resource):
    """Takes a body, which aiocoap has put together, and keeps it."""

    async def render_put(self, request):
        self.body = request.payload
        return aiocoap.Message(code=aiocoap.CHANGED)

    async def render_get(self, request):
        return aiocoap.Message(payload=b"ready")


async def serve(options):
    """aiocoap's server: what it takes goes to memory."""
    own = read(options.server + ".cred")
    known = CredentialsMap()
    known[f"coap://{options.listen}/*"] = aiocoap.edhoc.EdhocCredentials(
        suite=2,
        method=3,
        own_cred_style="by-key-id",
        own_cred=credential(own),
        private_key={1: 2, -1: 1, -4: block(own, "EDHOC PRIVATE KEY")},
    )
    known[":operator"] = aiocoap.edhoc.EdhocCredentials(
        suite=2, method=3, peer_cred=credential(read(options.cred + ".pub"))
    )
    site = aiocoap.resource.Site()
    site.add_resource(["sink"], Sink())
    await aiocoap.Context.create_server_context(
        OscoreSiteWrapper(site, known), bind=(options.listen, None), server_credentials=known
    )
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


async def put(session, path, body, szx):
    """Seconds that a PUT takes, from the first block to the last answer."""
    start = time.perf_counter()
    response = await session.request("put", path, body, szx=szx)
    took = time.perf_counter() - start
    if not (response.code.is_successful() and is_protected(response)):
        raise RuntimeError(f"{path}: {response.code} {response.payload!r}")
    return took


async def measure(options):
    own = options.cred + ".cred"
    servers = []
    for uri, peer in options.device:
        servers.append((await Session.open(uri, own, peer), "/vm-control/vm1"))
    uri = f"coap://{options.listen}"
    servers.append((await Session.open(uri, own, options.server + ".pub"), "/sink"))
    for session, path in servers:
        # The key exchange.
        await session.request("get", path)
    envelopes = iter(options.envelopes)
    for size, szx in SIZES.items():
        rates = [[] for _ in servers]
        for _ in range(options.rounds):
            with open(next(envelopes), "rb") as file:
                body = file.read()
            for (session, path), of_server in zip(servers, rates):
                seconds = await put(session, path, body, szx)
                of_server.append(len(body) / seconds / 1000)
                if path != "/sink":
                    await session.request("post", path + "/confirm")
        columns = [
            f"{statistics.median(each):.0f} ({min(each):.0f} to {max(each):.0f})"
            for each in rates
        ]
        print(f"| {size} | {' | '.join(columns)} |", flush=True)
    for session, _ in servers:
        await session.close()


async def run(options):
    server = await asyncio.create_subprocess_exec(
        sys.executable, *sys.argv, "--serve", stdout=asyncio.subprocess.PIPE
    )
    try:
        if await server.stdout.readline() != b"ready\n":
            raise RuntimeError("aiocoap's server does not start")
        await measure(options)
    finally:
        server.kill()
        await server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--device",
        nargs=2,
        action="append",
        required=True,
        metavar=("URI", "PUB"),
        help="a device and its credential",
    )
    parser.add_argument("--server", required=True, help="name of .cred and .pub")
    parser.add_argument("--listen", required=True, help="address of aiocoap's server")
    parser.add_argument("--cred", required=True, help="name of .cred and .pub")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("envelopes", nargs="+", help="one for each round and size")
    options = parser.parse_args()
    asyncio.run(serve(options) if options.serve else run(options))


if __name__ == "__main__":
    main()
