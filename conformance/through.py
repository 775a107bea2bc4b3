"""A conformance client that reaches the suite's mock server through a gateway: `… through.py CLIENT… URL`.

So the suite examines what the gateway says to servers. Exit code of the client; 70 where no gateway came up.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from conformance import processes


def main() -> int:
    """Start, run, stop."""
    *client, url = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        try:
            with processes.gateway(Path(folder), {"mock": f"{{url: {url!r}}}"}, os.environ) as address:
                return subprocess.run([*client, f"{address}/servers/mock/mcp"], check=False).returncode
        except processes.Broken as broken:
            print(broken, file=sys.stderr)
            return 70


sys.exit(main())
