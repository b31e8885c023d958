"""An operator with aiocoap: key exchange by EDHOC (lakers-python), then OSCORE.

For the scripts beside this one; aiocoap makes a new key exchange for each
request that does not name the remote of an earlier response, so one object
here is one security context.
"""

import asyncio
import base64

import aiocoap
import aiocoap.edhoc
import aiocoap.error
import cbor2
from aiocoap.optiontypes import BlockOption

METHODS = {
    "get": aiocoap.GET,
    "delete": aiocoap.DELETE,
    "put": aiocoap.PUT,
    "post": aiocoap.POST,
    "fetch": aiocoap.FETCH,
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


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class EchoingCredentials(aiocoap.edhoc.EdhocCredentials):
    """Credentials whose key exchange brings back an Echo value that it is asked
    for (RFC 9175, 2.3). aiocoap does that by itself inside OSCORE only, and
    gives up a key exchange that is answered with 4.01."""

    async def establish_context(self, wire, **rest):
        return await super().establish_context(wire=EchoingWire(wire), **rest)


class EchoingWire:
    """What sends the messages of a key exchange."""

    def __init__(self, wire):
        self.wire, self.message = wire, None

    def request(self, message):
        asked = EchoingWire(self.wire)
        asked.message = message
        return asked

    @property
    async def response_raising(self):
        response = await self.wire.request(self.message).response
        if response.code == aiocoap.UNAUTHORIZED and response.opt.echo is not None:
            again = self.message.copy(mid=None, token=None, echo=response.opt.echo)
            again.remote = self.message.remote
            response = await self.wire.request(again).response
        if not response.code.is_successful():
            raise aiocoap.error.ResponseWrappingError(response)
        return response


class Session:
    """One security context, made by the first request."""

    def __init__(self, context, uri, timeout):
        self.context, self.uri, self.timeout = context, uri, timeout
        self.remote = None

    @classmethod
    async def open(cls, uri, cred, peer, style="by-value", timeout=30, echoing=False):
        """Takes the files that `updater keygen` and the device have written."""
        credentials = aiocoap.edhoc.EdhocCredentials
        if echoing:
            credentials = EchoingCredentials
        own = read(cred)
        context = await aiocoap.Context.create_client_context()
        context.client_credentials[uri + "/*"] = credentials(
            suite=2,
            method=3,
            own_cred_style=style,
            own_cred=credential(own),
            private_key={1: 2, -1: 1, -4: block(own, "EDHOC PRIVATE KEY")},
            peer_cred=credential(read(peer)),
        )
        return cls(context, uri, timeout)

    async def request(
        self, method, path, body=b"", *, szx=None, szx2=None, confirmable=True, **options
    ):
        """Sends a request and waits for the whole response. `szx` and `szx2`
        are block size exponents for the bodies of request and response."""
        request = aiocoap.Message(
            code=METHODS[method],
            uri=self.uri + path,
            payload=body,
            transport_tuning=aiocoap.Reliable() if confirmable else aiocoap.Unreliable(),
        )
        for name, value in options.items():
            setattr(request.opt, name, value)
        if szx2 is not None:
            request.opt.block2 = BlockOption.BlockwiseTuple(0, False, szx2)
        if self.remote is not None:
            request.remote = self.remote
            if szx is not None:
                self.remote.maximum_block_size_exp = szx
        response = await asyncio.wait_for(
            self.context.request(request).response, self.timeout
        )
        if self.remote is None:
            self.remote = response.remote
        return response

    async def close(self):
        await self.context.shutdown()


def is_protected(response):
    return hasattr(response.remote, "security_context")


def report(method, path, body, response):
    """What is printed of a response."""
    said = {
        "method": method,
        "path": path,
        "sent": len(body),
        "code": response.code.dotted,
        "protected": is_protected(response),
        "payload": response.payload.hex(),
    }
    for option in ("max_age", "size1", "content_format"):
        value = getattr(response.opt, option)
        if value is not None:
            said[option] = int(value)
    return said
