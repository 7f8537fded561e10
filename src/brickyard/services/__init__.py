"""The services beside the gateway (``brickyard services``, :8090): what people and programs manage, rather than infer with.

Today these are users, their limits and their API keys (``users``); models, files, batches and the optimizer get a folder each when they
come. ``app`` puts the folders' routes together behind one ``door``, ``server`` listens.
"""
