"""A web shop in Flask, for gunicorn: `gunicorn "shop:make('target')"`. It says who answers, and what it sees around it.

shop_http.js, shop_express.js and go/main.go serve the same.
"""

import os
import socket
import urllib.error
import urllib.request

from flask import Flask, Response, request


def make(who):
    app = Flask(__name__)
    print(f"serving as {who}", flush=True)

    def text(body, status=200):
        return Response(body, status, mimetype="text/plain")

    @app.before_request
    def tell():
        print(f"{request.method} {request.full_path.rstrip('?')} from {request.remote_addr}", flush=True)

    @app.get("/healthz")
    def health():
        return text(f"{who} is well\n")

    @app.get("/variable/<name>")
    def variable(name):
        return text(os.environ[name]) if name in os.environ else text("unset", 404)

    @app.get("/file")
    def file():
        try:
            with open(request.args["path"], "rb") as opened:
                return text(opened.read())
        except OSError as error:
            return text(type(error).__name__, 404)

    @app.get("/lookup")
    def lookup():
        try:
            found = socket.getaddrinfo(request.args["name"], 80, socket.AF_INET, socket.SOCK_STREAM)
        except socket.gaierror:
            return text("no such name", 404)
        return text(" ".join(sorted({address[0] for *_, address in found})))

    @app.get("/fetch")
    def fetch():
        try:
            with urllib.request.urlopen(request.args["url"], timeout=20) as answer:
                return text(answer.read())
        except urllib.error.HTTPError as error:
            return text(error.read(), error.code)
        except OSError as error:
            return text(str(error), 502)

    @app.post("/echo")
    def echo():
        return Response(request.get_data(), 200, mimetype="application/octet-stream")

    @app.get("/", defaults={"path": ""})
    @app.get("/<path:path>")
    def rest(path):
        return text(f"{who}, flask: /{path} from {request.remote_addr}\n")

    return app
