"""Command lines and environments of debuggers, as editors write them."""

from __future__ import annotations

import shlex
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.network.debuggers import BadPorts, find_ports, parse_ports
from mirrord_cli.session.network.machine import may_be_debuggers
from mirrord_protocol.layer_values import LayerOperation, LayerRequest, LayerSocket
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import Address


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("5678", ((5678, 5678),)),
        ("9229, 5000-5010;7", ((9229, 9229), (5000, 5010), (7, 7))),
        ("", ()),
        ("50000", ((50000, 50000),)),
        ("45000-65535", ((45000, 49999), (50002, 65535))),
        ("50000-50001", ()),
        ("49999-50000", ((49999, 49999),)),
    ],
)
def test_ports_as_people_write_them(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_ports(text) == ranges


@pytest.mark.parametrize("text", ["x", "1-", "-1", "0", "65536", "10-5", "1-2-3", "1:2"])
def test_what_names_no_ports(text: str) -> None:
    with pytest.raises(BadPorts, match=text):
        parse_ports(text)


VSCODE = "/home/me/.vscode/extensions/ms-python.debugpy-2025.1.0/bundled/libs/debugpy"


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        (f"/usr/bin/python {VSCODE}/adapter/../../debugpy/launcher 43219 -- app.py --port 80", {43219}),
        (f"python {VSCODE} --connect 127.0.0.1:41001 --configure-qt none --adapter-access-token abc app.py", {41001}),
        ("python3 -X frozen_modules=off -m debugpy --listen 0.0.0.0:5678 --wait-for-client app.py", {5678}),
        ("python -m debugpy --wait-for-client --listen 5678 -m app --connect db:5432", {5678}),
        ("python -m debugpy.adapter --for-server 40001 --host 127.0.0.1 --port 5678", {40001, 5678}),
        ("python -m debugpy", set()),
        ("python app.py --listen 80 --connect db:5432", set()),
        ("python /pycharm/helpers/pydev/pydevd.py --multiprocess --client 127.0.0.1 --port 41234 --file app.py --port 80",
         {41234}),
        ("dotnet JetBrains.Debugger.Worker.dll --mode=client --frontend-port=41235 --port 80", {41235}),
        ("java -agentlib:jdwp=transport=dt_socket,address=127.0.0.1:54898,suspend=y,server=n -jar app.jar", {54898}),
        ("java -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005 App", {5005}),
        ("java -Xrunjdwp:transport=dt_socket,address=8000,server=y App", {8000}),
        ("java -agentlib:jdwp=transport=dt_socket,address=[::1]:8001 App", {8001}),
        ("java -agentlib:jdwp=transport=dt_socket,server=y App", set()),
        ("java -javaagent:/opt/idea/lib/idea_rt.jar=41423:/opt/idea/bin -jar app.jar", {41423}),
        ("java @args -jar app.jar", {5006}),
        ("javac @args", set()),
        ("node --inspect app.js --inspect=1", {9229}),
        ("/usr/bin/node --require x.js --inspect-brk=0.0.0.0:9230 app.js", {9230}),
        ("node --inspect-brk=0.0.0.0:9230 app.js", {9230}),
        ("node --inspect=127.0.0.1 app.js", {9229}),
        ("node --inspect-port=0 app.js", {9229}),
        ("grep --inspect x", set()),
        ("dlv dap --client-addr 127.0.0.1:40123", {40123}),
        ("/go/bin/dlv exec --headless --listen=:2345 ./app -- --listen=:80", {2345}),
        ("dlv debug -l localhost:2346", {2346}),
        ("nginx --listen 80", set()),
    ],
)  # fmt: skip
def test_command_lines(line: str, ports: set[int]) -> None:
    files = {"args": '-Xmx1g "-agentlib:jdwp=transport=dt_socket,address=localhost:5006"'}

    assert find_ports(shlex.split(line), {}, lambda name: files.get(name, "")) == ports


@pytest.mark.parametrize(
    ("name", "value", "ports"),
    [
        ("NODE_OPTIONS", "--require /x/bootloader.js --inspect=127.0.0.1:9231", {9231}),
        ("NODE_OPTIONS", "--max-old-space-size=4096 '", set()),
        ("NODE_INSPECTOR_INFO", '{"inspectorURL": "ws://127.0.0.1:41999/x", "port": "42000"}', {41999, 42000}),
        ("VSCODE_INSPECTOR_OPTIONS", ':::{"inspectorIpc": "/tmp/node-cdp.1.sock", "debuggerPort": 42001}', {42001}),
        ("VSCODE_INSPECTOR_OPTIONS", ':::{"waitForDebugger": "", "mandatePortTracking": true}', set()),
        ("VSCODE_INSPECTOR_OPTIONS", "{not json", set()),
        ("VSCODE_INSPECTOR_OPTIONS", "localhost:99999", set()),
        ("JAVA_TOOL_OPTIONS", "-agentlib:jdwp=transport=dt_socket,server=y,address=5007", {5007}),
        ("OTHER", "--inspect=1", set()),
    ],
)
def test_variables(name: str, value: str, ports: set[int]) -> None:
    assert find_ports(["npm", "start"], {name: value}) == ports


def test_a_process_without_arguments() -> None:
    assert find_ports([], {}) == frozenset()


@pytest.mark.parametrize(
    ("operation", "host", "flags", "may"),
    [
        (LayerOperation.CONNECT, "127.0.0.1", 0, True),
        (LayerOperation.CONNECT, "::ffff:127.0.0.1", LayerSocket.IPV6, True),
        (LayerOperation.CONNECT, "0.0.0.0", 0, True),
        (LayerOperation.CONNECT, "10.0.0.1", 0, False),
        (LayerOperation.CONNECT, "127.0.0.1", LayerSocket.UNIX, False),
        (LayerOperation.LISTEN, "0.0.0.0", 0, True),
        (LayerOperation.LISTEN, "127.0.0.1", LayerSocket.DATAGRAM, False),
        (LayerOperation.SEND, "127.0.0.1", 0, False),
    ],
)
def test_questions_that_may_be_about_debuggers(operation: LayerOperation, host: str, flags: int, may: bool) -> None:
    payload = encode_layer_address(Address(ip_address(host).packed, 80))

    assert may_be_debuggers(LayerRequest(operation, flags=flags), payload) is may
    assert may_be_debuggers(LayerRequest(operation, flags=flags), b"short") is (
        may and operation is LayerOperation.LISTEN
    )


words = st.sampled_from(
    ["python", "node", "java", "dlv", "-m", "debugpy", "pydevd.py", "--listen", "--port", "--connect", "--", "@x"]
)


@given(st.lists(words | st.text(max_size=8), max_size=8), st.text(), st.text())
def test_any_command_line_is_read(arguments: list[str], options: str, inspector: str) -> None:
    found = find_ports(arguments, {"NODE_OPTIONS": options, "NODE_INSPECTOR_INFO": inspector}, lambda name: name)
    assert all(1 <= port <= 65535 for port in found)
