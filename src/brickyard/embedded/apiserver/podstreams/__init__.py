"""exec, attach and port-forward over WebSocket: the clients' protocols on this side, ``api.kinds.podstreams`` on the other.

    path                    subprotocol                       who speaks it             module
    …/pods/NAME/exec        v5, v4.channel.k8s.io             kubectl, client libraries  channels, commands
    …/pods/NAME/attach      the same                          the same                   the same
    …/pods/NAME/portforward SPDY/3.1+portforward.k8s.io       kubectl                    spdy, tunnel
    …/pods/NAME/portforward v4.channel.k8s.io, or unnamed     client libraries           channels, pairs

``judging`` finds out what a request wants and whether it can be had, ``server`` takes the connection, ``sockets`` holds it within bounds.
"""
