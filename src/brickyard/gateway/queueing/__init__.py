"""Where requests wait while every endpoint of their model is full: ``line`` decides who is next, ``queue`` keeps the lines moving."""
