"""What policies remember of requests, each kind of memory with one owner: see ``routing.contract.Ledger``."""
