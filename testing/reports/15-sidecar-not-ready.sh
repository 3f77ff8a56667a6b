#!/bin/sh
# report: istio/istio#16067
# kind: rules that lead elsewhere
# cause: A rule of this machine redirects every outgoing connection to its own proxy (REDIRECT to
#   port 15001 in nat/OUTPUT), and the proxy is not running yet. So this machine refuses. The
#   server is in order.
# right: At the client: this machine refuses, and the rule is named. "Nothing listens on the
#   server" is false at any certainty.
# expect: refused|local-firewall|redirected certainty<=certain if-named
# says: redirect|15001|nat/output|led (else|to)|leads? [^.]{0,40}(else|to )
. "$(dirname "$0")/lib.sh"
space pod server
cable pod eth0 server eth0
address pod eth0 10.15.0.2/24
address server eth0 10.15.0.1/24
daemon server echo 5151
ready server 5151
tried open pod 10.15.0.1 5151
fault && rules pod <<R
table ip mesh {
  chain output { type nat hook output priority -100
    oifname "lo" return
    ip protocol tcp counter redirect to :15001 comment "mesh"
  }
}
R
rules server <<R
table ip seen {
  chain input { type filter hook input priority 0
    tcp dport 5151 tcp flags & (syn | ack) == syn counter comment "requests"
  }
}
R
tried_or refused pod 10.15.0.1 5151
if fault; then
    must "the rule was not met" test "$(counted pod mesh)" -gt 0
    must "the server was asked" test "$(counted server requests)" -eq 0
fi
verdict pod check 10.15.0.1
