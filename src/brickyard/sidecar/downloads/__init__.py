"""Models as local files: a reference goes in, a path that an engine can open comes out. ``cache`` is the way in."""
