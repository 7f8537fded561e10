"""The formulas: numbers in, replicas out. They know neither time nor bounds."""
