"""The process between the node agent and a container: it outlives the agent, keeps the container's log and tells how it ended.

``main`` is the process, ``spec`` what the agent hands it, ``framing`` the format of logs, ``files`` their rotation, ``kernel`` the few
calls that ``os`` lacks. One runs for every container, so all of them import next to nothing: no ``typing``, no ``dataclasses``, no
``signal`` (each costs milliseconds and hundreds of kilobytes).
"""
