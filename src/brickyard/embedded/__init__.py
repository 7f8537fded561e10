"""One machine, no cluster: a Kubernetes API (``apiserver``), a node agent (``kubelet``), the controllers a cluster has built in
(``builtin``). They are strangers to each other; ``machine`` starts all three in one process."""
