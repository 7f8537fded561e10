"""The command line: argument parsing and printing, one module a command, no logic. Heavy imports happen inside commands."""
