"""What containers and the machine use.

``survey`` reads the process table, ``series`` turns readings into rates, ``meter`` keeps both going.
"""
