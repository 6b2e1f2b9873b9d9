"""What moves the bytes: a port, the transport to AWS behind it, and one for tests."""
