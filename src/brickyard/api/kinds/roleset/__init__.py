"""RoleSet: one replica of a set of roles."""
