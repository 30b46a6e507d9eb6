"""A small server for tests that end it: `small.py PORT`. Asked for /quit, it ends itself."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"local, small: {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/quit":
            os._exit(7)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler)
print("serving as local", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(130)
