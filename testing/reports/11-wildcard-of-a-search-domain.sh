#!/bin/sh
# report: kubernetes/kubernetes#49113
# kind: names
# cause: With ndots:5 the resolver first tries www.site.test.corp.test, and *.corp.test is a
#   wildcard. The program talks to the wildcard's machine, not to the one of www.site.test.
# right: `ok`, likely at most, with the name that was really found; or a code that says so.
# expect: ok certainty<=likely if-named
# expect: wrong-name|name-not-found certainty<=certain if-named
# says: www\.site\.test\.corp\.test|search domain
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.11.0.2/24
address server eth0 10.11.0.1/24 10.11.0.80/24 10.11.0.99/24
records="www.site.test=10.11.0.80"
fault && records="$records *.corp.test=10.11.0.99"
# shellcheck disable=SC2086
daemon server names 10.11.0.1 $records
daemon server web 80 10.11.0.80 10.11.0.99
ready server 53 udp
ready server 80
printf 'nameserver 10.11.0.1\nsearch apps.corp.test corp.test\noptions ndots:5\n' \
    >"$WORK/etc/resolv.conf"
echo "hosts: files dns" >"$WORK/etc/nsswitch.conf"
where=10.11.0.80
fault && where=10.11.0.99
must "the name leads elsewhere than meant" sh -c \
    "ip netns exec $ID-client sh -c 'mount --bind $WORK/etc/resolv.conf /etc/resolv.conf
    mount --bind $WORK/etc/nsswitch.conf /etc/nsswitch.conf
    getent ahostsv4 www.site.test' | grep -q '^$where '"
verdict client check http://www.site.test
