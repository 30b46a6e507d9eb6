"""The agent as it is, but for a lease of two seconds: so that a test of silence takes no half minute."""

import functools
import sys

import mirrord_agent.server
from mirrord_agent.__main__ import main

mirrord_agent.server.Welcome = functools.partial(mirrord_agent.server.Welcome, lease=2000)
sys.exit(main())
