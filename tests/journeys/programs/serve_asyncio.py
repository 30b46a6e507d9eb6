"""HTTP through asyncio's streams: serve_asyncio.py PORT. Says who asked; ends with its input."""

import asyncio
import os
import sys
import threading


async def answer(reader, writer):
    peer = writer.get_extra_info("peername")
    body = f"program, to {peer[0]}:{peer[1]}\n".encode()
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()


async def main():
    server = await asyncio.start_server(answer, "0.0.0.0", int(sys.argv[1]))
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
