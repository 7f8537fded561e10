"""Nodes whose agent is silent: nobody knows how they fare, and their conditions say so."""
