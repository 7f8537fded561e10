"""DaemonSets: a pod on every node that wants one; here, on this machine."""
