"""What creator.c does, with kazoo."""

import select
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

client = KazooClient(hosts=sys.argv[1], timeout=30, connection_retry={"max_tries": -1, "max_delay": 0.2})
expired = []
client.add_listener(lambda state: expired.append(state) if state == "LOST" else None)
client.start()
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        print(client.create(sys.argv[2] + "/n-", b"x", sequence=True), flush=True)
    except KazooException:
        time.sleep(0.02)
if expired:
    sys.exit("the session expired")
client.stop()
