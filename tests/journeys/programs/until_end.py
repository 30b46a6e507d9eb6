"""Runs a server that prints nothing on stdout until our input ends: until_end.py COMMAND ...

Its own log on stderr tells when it listens; then a line is printed.
"""

import subprocess
import sys
import threading

process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def watch():
    workers = 0
    for line in process.stderr:
        workers += "Booting worker" in line
        if workers == 2 and "Booting worker" in line:
            print("listening", flush=True)
        sys.stderr.write(line)


watcher = threading.Thread(target=watch)
watcher.start()
sys.stdin.read()
process.terminate()
process.wait()
watcher.join()
