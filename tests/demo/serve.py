"""A server as a developer would run it: tells each client who it is, and prints what was asked. `serve.py PORT`.

The demo runs it under `mirrord exec`, stealing or mirroring the service's port.
"""

import http.server
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"program here, to {self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        print(f"{self.requestline} from {self.client_address[0]}", flush=True)


server = http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening", flush=True)
sys.stdin.read()
server.shutdown()
