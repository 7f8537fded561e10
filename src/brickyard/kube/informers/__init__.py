"""Local, current copies of collections: ``informer.Informer`` lists once, then follows the watch."""
