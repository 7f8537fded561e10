"""Doubles of what is large or costly: an engine that behaves like one and needs neither weights nor a GPU."""
