#!/bin/sh
# report: osrg/gobgp#2573
# kind: the serving side
# cause: The listening socket requires a TCP MD5 signature (RFC 2385) from this neighbour, which
#   sends none. The kernel drops its requests silently.
# right: On the server: `ok`, likely at most, with the signature named. "Nothing on this machine
#   keeps others out" is false.
# expect: ok certainty<=likely if-named
# expect: local-firewall|not-accepting|signature-missing certainty<=likely if-named
# says: MD5|signature
. "$(dirname "$0")/lib.sh"
space neighbour server
cable neighbour eth0 server eth0
address neighbour eth0 10.23.0.2/24
address server eth0 10.23.0.1/24
if fault; then daemon server signed 179 10.23.0.2; else daemon server echo 179; fi
ready server 179
tried_or silent neighbour 10.23.0.1 179
fault && must "the kernel dropped nothing" test "$(kernel server TcpExtTCPMD5NotFound)" -gt 0
verdict server check --listen 179
