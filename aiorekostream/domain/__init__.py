"""The domain: frozen values that exist only if they are valid. Standard library and attrs only."""
