# SPDX-License-Identifier: MIT
"""swift-servers.py MEMCACHED-PORT: Swift's four servers in one process, in the current directory.

One start of Python instead of seven, and ports that the kernel chose; the address of the proxy
goes to the file `endpoint`.
"""
import os
import sys

from swift.common import utils

utils.eventlet_monkey_patch()

import eventlet  # noqa: E402
import eventlet.wsgi  # noqa: E402
from swift.common import wsgi  # noqa: E402

PROXY = """
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{cache}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = swift-testing .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
STORAGE = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
COMMON = """[DEFAULT]
swift_dir = {here}
devices = {here}/disks
mount_check = false
disable_fallocate = true
log_level = WARNING
log_address = {here}/no-log
"""
SITE = """[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = only
default = yes
"""


def write(name, text):
    with open(name, "w", encoding="ascii") as file:
        file.write(text)


def ring(name, port):
    from swift.common.ring import RingBuilder

    builder = RingBuilder(0, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port,
                     "device": "disk", "weight": 1, "meta": ""})
    builder.rebalance()
    builder.get_ring().save(name + ".ring.gz")


def serve(name, template, cache=None):
    here = os.getcwd()
    sock = eventlet.listen(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    if name != "proxy":
        ring(name, port)
    write(name + ".conf", (COMMON + template).format(here=here, name=name, cache=cache))
    app = wsgi.loadapp(os.path.join(here, name + ".conf"))
    eventlet.spawn(eventlet.wsgi.server, sock, app, log_output=False, protocol=wsgi.SwiftHttpProtocol,
                   capitalize_response_headers=False)
    return port


def main():
    os.makedirs("disks/disk")
    write("swift.conf", SITE)
    for name in ("account", "container", "object"):
        serve(name, STORAGE)
    port = serve("proxy", PROXY, sys.argv[1])
    write("endpoint.partial", "http://127.0.0.1:%d\n" % port)
    os.rename("endpoint.partial", "endpoint")
    while True:
        eventlet.sleep(3600)


main()
