"""What a request used: asked of engines where they would not tell, read from the end of their answers, estimated where they say nothing.

    ask.asking(body)  ─►  engine  ─►  tail.Tail (the last bytes, by reference)  ─►  reading.used(…) ─► Usage
                                      strip.Stripper (only where we asked: the client must not see what it did not ask for)

Nothing here looks at tokens as they pass: a stream's chunk costs one append.
"""
