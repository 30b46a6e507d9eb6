"""Asks HTTP servers from inside a cluster: reads requests as lines of JSON, writes what came of them likewise."""

import base64
import json
import sys
import urllib.error
import urllib.request

for line in sys.stdin:
    asked = json.loads(line)
    data = base64.b64decode(asked["body"]) if "body" in asked else None
    request = urllib.request.Request(asked["url"], data, method=asked.get("method"))
    try:
        with urllib.request.urlopen(request, timeout=asked.get("timeout", 20)) as response:
            answer = {"status": response.status, "body": base64.b64encode(response.read()).decode()}
    except urllib.error.HTTPError as error:
        answer = {"status": error.code, "body": base64.b64encode(error.read()).decode()}
    except OSError as error:
        answer = {"status": 0, "body": base64.b64encode(str(getattr(error, "reason", error)).encode()).decode()}
    print(json.dumps(answer), flush=True)
