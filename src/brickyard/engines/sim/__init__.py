"""The engine double: runs it where a manifest asks for it, or for AIBrix' own mock; reads its metrics page, whomever it imitates."""
