"""A byte echo on Python's asyncio, as its documentation's "TCP Echo Server" does it."""

import asyncio
import sys


class EchoServerProtocol(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main():
    host, port = sys.argv[1].rsplit(":", 1)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(EchoServerProtocol, host, int(port), backlog=4096)
    async with server:
        await server.serve_forever()


asyncio.run(main())
