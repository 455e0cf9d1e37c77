"""What the tests of more than one folder stand on, by topic."""
