"""A WSGI application that says who asked."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"program, to {environ['REMOTE_ADDR']}, path {environ['PATH_INFO']}\n".encode()]
