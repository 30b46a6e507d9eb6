"""Starts a command so many times, one after another, and prints the first line of each: several.py COUNT COMMAND ..."""

import subprocess
import sys

running = []
for _ in range(int(sys.argv[1])):
    process = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, text=True)
    print(process.stdout.readline(), end="", flush=True)
    running.append(process)
sys.exit(max([process.wait() for process in running]))
