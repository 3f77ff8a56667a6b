#!/bin/sh
# report: sgerrand/alpine-pkg-glibc#4
# kind: names
# cause: The hosts line of nsswitch.conf asks DNS first and stops there (dns [!UNAVAIL=return]
#   files, an old default of the C library). Only /etc/hosts has the name.
# right: name-not-found. Certain only if the hosts line or /etc/hosts is named: "does not exist"
#   alone is false, since the file has the name.
# expect: name-not-found|name-lookup-failed certainty<=likely
# expect: name-not-found|name-lookup-failed certainty<=certain if-named
# says: nsswitch|/etc/hosts|hosts (line|file)
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.12.0.2/24
address server eth0 10.12.0.1/24
daemon server names 10.12.0.1 other.test=10.12.0.1
daemon server echo 5151
ready server 53 udp
ready server 5151
echo "nameserver 10.12.0.1" >"$WORK/etc/resolv.conf"
printf '127.0.0.1 localhost\n10.12.0.1 box.test\n' >"$WORK/etc/hosts"
if fault; then
    echo "hosts: dns [!UNAVAIL=return] files" >"$WORK/etc/nsswitch.conf"
    mustnt "the system finds the name" at client getent hosts box.test
else
    echo "hosts: files dns" >"$WORK/etc/nsswitch.conf"
    must "the system does not find the name" at client getent hosts box.test
fi
must "DNS does not work" at client getent hosts other.test
tried open client 10.12.0.1 5151
verdict client check box.test
