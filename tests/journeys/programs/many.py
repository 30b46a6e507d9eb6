"""Opens many connections at once, keeps all of them open, and exchanges something on each: COUNT HOST PORT."""

import asyncio
import resource
import sys

COUNT, HOST, PORT = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
AT_ONCE = 100


async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, COUNT + 100)), hard))
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one():
        async with gate:
            return await asyncio.open_connection(HOST, PORT)

    async def talk(number, reader, writer):
        writer.write(b"number %06d" % number)
        return await reader.readexactly(13) == b"number %06d" % number

    streams = await asyncio.gather(*(open_one() for _ in range(COUNT)))
    right = await asyncio.gather(*(talk(number, *stream) for number, stream in enumerate(streams)))
    print(f"{len(streams)} open, {sum(right)} right")
    for _, writer in streams:
        writer.close()


asyncio.run(main())
