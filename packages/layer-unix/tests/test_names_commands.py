"""Programs and runtimes that everyone has: the names they find are those they find beside a DNS server with them."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from layer_dns import in_namespace
from layer_names import Name, Names
from layer_programs import need
from layer_session import Session

pytestmark = pytest.mark.programs

COMMANDS = {
    "getent ahosts web": "RESOLVE",
    "getent ahostsv4 web.test; getent ahostsv6 alias.test": "RESOLVE",
    "getent hosts alias.test; getent hosts 10.1.0.4; getent hosts none.test; echo $?": "RESOLVE REVERSE",
    "hostname; uname -n; uname -a": "HOSTNAME",
    'echo "$HOSTNAME"': "HOSTNAME",
    """perl -MSocket=:addrinfo,:DEFAULT -MSys::Hostname -e '
        print join(",", map { inet_ntoa $_ } (gethostbyname "four.test")[4]), "\\n";
        my ($error, @list) = getaddrinfo "web.test", "http", {socktype => SOCK_STREAM};
        print +(getnameinfo $_->{addr}, NI_NUMERICHOST)[1], "\\n" for @list;
        print scalar gethostbyaddr(inet_aton("10.1.0.1"), AF_INET), " ", hostname, "\\n";
        print +(getaddrinfo "none.test")[0], "\\n"'""": "RESOLVE REVERSE HOSTNAME",
}

PYTHON = """
import ctypes, platform, os, socket

def tried(call, *arguments, **options):
    try:
        return call(*arguments, **options)
    except OSError as error:
        return error.args

for family in (0, socket.AF_INET, socket.AF_INET6):
    for name in ("web", "alias.test", "six.test", "empty.test", "none.test"):
        for entry in tried(socket.getaddrinfo, name, "https", family, flags=socket.AI_CANONNAME):
            print(name, entry)
print(tried(socket.gethostbyname_ex, "alias.test"))
print(tried(socket.gethostbyname, "four"), tried(socket.gethostbyname_ex, "none.test"))
print(tried(socket.gethostbyaddr, "10.1.0.4"), tried(socket.gethostbyaddr, "2001:db8::6"))
print(tried(socket.getnameinfo, ("10.1.0.1", 80), 0), tried(socket.getnameinfo, ("10.9.9.9", 80), socket.NI_NAMEREQD))
print(socket.gethostname(), platform.node(), os.uname().nodename, socket.getfqdn())

resolver = ctypes.CDLL(None)
room = ctypes.create_string_buffer(512)
for call in ("res_search", "res_query"):
    size = getattr(resolver, call)(b"_http._tcp.test", 1, 33, room, 512)
    print(call, size, room.raw[2:size])
"""

NODE = """
const dns = require("dns"), os = require("os");
const all = (name, options) => new Promise(done => dns.lookup(name, {all: true, ...options}, (error, found) =>
    done([name, error && error.code, error && error.syscall, (found || []).map(each => each.address)])));
(async () => {
    for (const name of ["web", "alias.test", "six.test", "none.test", "empty.test", "10.1.2.3"])
        for (const family of [0, 4, 6])
            console.log(JSON.stringify(await all(name, {family, hints: family == 6 ? dns.ADDRCONFIG | dns.V4MAPPED : 0})));
    dns.lookupService("10.1.0.1", 443, (error, host, service) => console.log(error, host, service));
    console.log(os.hostname());
})();
"""

JAVA = """
import java.net.*;
import java.util.*;

class Names {
    public static void main(String[] arguments) throws Exception {
        for (String name : new String[] {"web", "alias.test", "four.test", "six.test", "none.test", "empty.test"}) {
            try {
                System.out.println(Arrays.toString(InetAddress.getAllByName(name)));
            } catch (UnknownHostException error) {
                System.out.println(error.getMessage());
            }
        }
        System.out.println(InetAddress.getByName("four.test").getHostAddress());
        System.out.println(InetAddress.getByName("10.1.0.4").getHostName());
        System.out.println(InetAddress.getByName("2001:db8::6").getCanonicalHostName());
        System.out.println(InetAddress.getByName("10.9.9.9").getHostName());
        System.out.println(InetAddress.getLocalHost());
    }
}
"""


def compare(session: Session, folder: Path, *command: str) -> None:
    """Run a command beside the server, then under the layer: output and exit code are the same."""
    need("unshare")
    plain = subprocess.run(in_namespace(folder, *command), capture_output=True, timeout=60, check=False, cwd=folder)
    under = session.run(*command, check=False, cwd=folder)

    assert (under.stdout, under.stderr, under.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert plain.stdout


def asked(session: Session) -> set[str]:
    """What was asked about names."""
    return {operation for operation, _ in session.asked} & {"RESOLVE", "REVERSE", "QUERY", "HOSTNAME"}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(session: Session, names: Names, tmp_path: Path, line: str) -> None:
    need("perl")
    compare(session, tmp_path, "bash", "-c", line)

    assert asked(session) >= set(COMMANDS[line].split())


def test_python(session: Session, names: Names, tmp_path: Path) -> None:
    compare(session, tmp_path, sys.executable, "-c", PYTHON)

    assert asked(session) == {"RESOLVE", "REVERSE", "QUERY", "HOSTNAME"}


def test_node(session: Session, names: Names, tmp_path: Path) -> None:
    need("node")
    compare(session, tmp_path, "node", "-e", NODE)

    assert asked(session) == {"RESOLVE", "REVERSE", "HOSTNAME"}


def test_java(session: Session, names: Names, tmp_path: Path) -> None:
    need("java")
    (tmp_path / "Names.java").write_text(JAVA)
    compare(session, tmp_path, "java", "-Xint", "Names.java")

    assert asked(session) == {"RESOLVE", "REVERSE", "HOSTNAME"}


def test_curl(session: Session, names: Names, tmp_path: Path) -> None:
    need("curl")
    names.names["page.test"] = Name(["127.0.0.1"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers["Host"].encode())

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://page.test:{server.server_port}/"
        done = session.run("curl", "--noproxy", "*", "-sS", url)
        thread.join()

    assert done.stdout == url.removeprefix("http://").rstrip("/").encode()
    failed = session.run("curl", "--noproxy", "*", "-sS", "http://none.test/", check=False)
    assert (failed.returncode, failed.stderr) == (6, b"curl: (6) Could not resolve host: none.test\n")
