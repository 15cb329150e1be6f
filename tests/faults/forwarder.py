"""A process that passes every connection to HOST PORT on; it prints the port that it listens on.

python -m tests.faults.forwarder ADDRESS HOST PORT
"""

from __future__ import annotations

import asyncio
import sys

from tests.support.in_between import calling, pass_on


async def main(address: str, host: str, port: int) -> None:
    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        async with calling(host, port) as (server, to_server):
            await asyncio.gather(pass_on(client, to_server), pass_on(server, to_client))

    listening = await asyncio.start_server(serve, address, 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
