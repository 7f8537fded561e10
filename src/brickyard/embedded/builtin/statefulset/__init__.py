"""StatefulSet: pods with names, places and volumes that stay."""
