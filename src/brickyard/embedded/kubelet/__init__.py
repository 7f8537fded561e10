"""The node agent: pods as processes on this machine.

``plan`` decides and does nothing; ``agent`` does what it decides. Between them stand small modules with one job each: which address a
pod gets, which command an image means, what a container's environment and volumes are, how processes are started, watched and
ended, how probes are made, where logs are kept.
"""
